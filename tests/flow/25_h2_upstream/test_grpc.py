"""gRPC end to end: grpcio on both sides, the gateway between them, HTTP/2 everywhere."""
from concurrent import futures
import threading

import grpc
import pytest

from lib.wait import PATIENCE, wait_until

BIG = bytes(range(256)) * 4096  # 1 MiB


class Service(grpc.GenericRpcHandler):
    """Methods of bytes to bytes, without a schema."""

    def __init__(self):
        self.cancelled = threading.Event()

    def service(self, details):
        return {
            "/t/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/t/Count": grpc.unary_stream_rpc_method_handler(self.count),
            "/t/Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "/t/Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "/t/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/t/Hang": grpc.unary_unary_rpc_method_handler(self.hang),
            "/t/Break": grpc.unary_stream_rpc_method_handler(self.break_off),
        }.get(details.method)

    def unary(self, request, context):
        seen = dict(context.invocation_metadata())
        context.set_trailing_metadata((("x-trailing", "yes"), ("x-forwarded-for", "forged"), ("x-bin-bin", b"\0\1")))
        context.send_initial_metadata((("x-initial", seen.get("x-asked", "")),))
        return request

    def count(self, request, context):
        for number in range(int(request)):
            yield b"%d" % number

    def sum(self, requests, context):
        return b"%d" % sum(len(request) for request in requests)

    def chat(self, requests, context):
        for request in requests:
            yield request.upper()

    def fail(self, request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: \u00e9")

    def hang(self, request, context):
        context.add_callback(self.cancelled.set)
        self.cancelled.wait(PATIENCE)
        return b""

    def break_off(self, request, context):
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "gone")


@pytest.fixture
def service():
    service = Service()
    server = grpc.server(futures.ThreadPoolExecutor(32), handlers=[service], options=[("grpc.max_receive_message_length", -1)])
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(0).wait()


@pytest.fixture
def channel(service, h2c):
    gateway = h2c(service)
    with grpc.insecure_channel(f"127.0.0.1:{gateway.port}", options=[("grpc.max_receive_message_length", -1)]) as channel:
        channel.gateway = gateway
        yield channel


def test_unary(channel):
    reply, call = channel.unary_unary("/t/Unary").with_call(b"hello", metadata=(("x-asked", "42"),), timeout=PATIENCE)
    assert reply == b"hello" and call.code() == grpc.StatusCode.OK
    assert dict(call.initial_metadata())["x-initial"] == "42"
    trailing = dict(call.trailing_metadata())
    assert trailing["x-trailing"] == "yes" and trailing["x-bin-bin"] == b"\0\1"


def test_large_messages(channel):
    unary = channel.unary_unary("/t/Unary")
    for message in (b"", b"x", BIG, BIG * 3):
        assert unary(message, timeout=PATIENCE) == message


def test_a_stream_from_the_server(channel):
    assert list(channel.unary_stream("/t/Count")(b"2000", timeout=PATIENCE)) == [b"%d" % number for number in range(2000)]


def test_a_stream_from_the_client(channel):
    assert channel.stream_unary("/t/Sum")(iter([BIG] * 8), timeout=PATIENCE) == b"%d" % (8 * len(BIG))


def test_both_ways_in_turns(channel):
    said = threading.Semaphore(0)

    def words():
        for word in (b"one", b"two", b"three"):
            yield word
            assert said.acquire(timeout=PATIENCE)

    heard = []
    for reply in channel.stream_stream("/t/Chat")(words(), timeout=PATIENCE):
        heard.append(reply)
        said.release()
    assert heard == [b"ONE", b"TWO", b"THREE"]


def test_an_error_keeps_its_status_and_words(channel):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/t/Fail")(b"", timeout=PATIENCE)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert failed.value.details() == "not today: \u00e9"


def test_an_error_after_messages(channel):
    heard = []
    with pytest.raises(grpc.RpcError) as failed:
        for message in channel.unary_stream("/t/Break")(b"", timeout=PATIENCE):
            heard.append(message)
    assert heard == [b"one"] and failed.value.code() == grpc.StatusCode.DATA_LOSS


def test_an_unknown_method(channel):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/t/Nothing")(b"", timeout=PATIENCE)
    assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_deadline_reaches_the_server(channel, service):
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary("/t/Hang")(b"", timeout=0.3)
    assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert service.cancelled.wait(PATIENCE)


def test_a_cancellation_reaches_the_server(channel, service):
    call = channel.unary_unary("/t/Hang").future(b"")
    wait_until(lambda: channel.gateway.descriptors() > 0, "the call")
    threading.Timer(0.3, call.cancel).start()
    with pytest.raises(grpc.FutureCancelledError):
        call.result()
    assert service.cancelled.wait(PATIENCE)


def test_many_calls_at_a_time(channel):
    calls = [channel.unary_unary("/t/Unary").future(b"%d" % number, timeout=PATIENCE) for number in range(300)]
    assert [call.result() for call in calls] == [b"%d" % number for number in range(300)]
