"""The routes, a file per noun. Each file has the functions that FastAPI documents; two of them `api.jobs.hot`
answers without FastAPI. All of them take what they need from the request's Call."""
