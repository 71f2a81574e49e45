-- POST of 100 MB.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/octet-stream"
wrk.body = string.rep("x", 100 * 1000 * 1000)
