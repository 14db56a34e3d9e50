"""Jobs and runs as the routes read and write them.

Reading order: `bodies` (from a request's body to a job), `writing` (put), `running` (run now, wait for the
end), `reading` (rows to JSON), `listing` (which of them), `preview` (of a job that is not there yet), `hot`
(the two writes that go round FastAPI).
"""
