"""The routes, a file per noun. Each file has the functions that FastAPI documents; the hot ones
(`jobs_hot`) are called by `api.door` directly. All of them take what they need from the request's Call."""
