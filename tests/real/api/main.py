"""Stands where starmeet-api stands: FastAPI under /api, with an upload that is hashed as it arrives and an SSE route."""
import asyncio
import hashlib

from fastapi import FastAPI, File, Request, UploadFile
from fastapi.responses import JSONResponse, StreamingResponse

app = FastAPI()


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.api_route("/api/echo/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def echo(rest: str, request: Request):
    return {
        "service": "api",
        "method": request.method,
        "target": request.scope["raw_path"].decode(),
        "query": request.scope["query_string"].decode(),
        "headers": dict(request.headers),
        "body_length": len(await request.body()),
    }


@app.post("/api/upload")
async def upload(request: Request):
    digest, length = hashlib.sha256(), 0
    async for piece in request.stream():
        digest.update(piece)
        length += len(piece)
    return {"service": "api", "sha256": digest.hexdigest(), "length": length}


@app.post("/api/form")
async def form(file: UploadFile = File(...)):
    content = await file.read()
    return {"name": file.filename, "sha256": hashlib.sha256(content).hexdigest(), "length": len(content)}


@app.get("/api/events")
async def events(count: int = 5):
    async def ticks():
        for number in range(count):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.2)
    return StreamingResponse(ticks(), media_type="text/event-stream")


@app.get("/api/limited")
async def limited():
    return JSONResponse({"detail": "slow down"}, status_code=429, headers={"Retry-After": "1"})
