"""Requests that are refused: too slow, too large, not served here. Each answer says why; other connections do not notice."""
import pytest

from lib.bulk import BLOCK, blocks
from lib.client import chunked, get, post
from lib.faults import FAULTS, assert_made_here
from lib.gateway import route_to
from lib.upstream import echo, named, silent
from lib.wait import wait_until

QUICK = {"head_timeout": "300ms", "body_min_rate": "1KiB", "body_grace": "300ms"}


def only(responses):
    assert len(responses) == 1, [response.start for response in responses]
    return responses[0]


def test_a_slow_head_is_408(portico, upstream, bystander):
    gateway = portico(upstream(), client=QUICK)
    others = bystander(gateway)
    with gateway.client() as client:
        client.send(get("/")[:-1])
        assert_made_here(client.response(), "head_timeout")
        assert client.ended()
    others()
    assert "head_timeout" in {record.cause for record in gateway.log_records(3)}


def test_a_dripping_head_gains_nothing(portico, upstream):
    gateway = portico(upstream(), client=QUICK)
    with gateway.client() as client:
        client.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: drip(client), "the answer")
        assert client.response().status == 408


def drip(client):
    """One more byte; True once something came back."""
    client.sock.settimeout(0.05)
    try:
        client.send(b"X")
        client.buffer += client.sock.recv(4096)
    except TimeoutError:
        return False
    finally:
        client.sock.settimeout(5)
    return True


def test_a_second_requests_head_has_its_own_time(portico, upstream):
    gateway = portico(upstream(), client=QUICK)
    with gateway.client() as client:
        assert client.get("/").status == 200
        client.send(get("/")[:-1])
        assert client.response().status == 408


@pytest.mark.parametrize("request_head, part", [
    (get("/", "POST", content_length=100000), b"x"), (get("/", "POST", transfer_encoding="chunked"), b"5\r\nhel"),
], ids=["length", "chunked"])
def test_a_body_below_the_minimum_rate_is_408(portico, upstream, bystander, request_head, part):
    app = upstream()
    gateway = portico(app, client=QUICK)
    others = bystander(gateway)
    with gateway.client() as client:
        client.send(request_head + part)
        assert_made_here(client.response("POST"), "body_too_slow")
        assert client.ended()
    others()
    assert len(app.requests) == 2  # the bystander's


def test_too_large_by_its_length_is_413_before_anything_is_read(portico, upstream, bystander):
    app = upstream()
    gateway = portico(app, routes=[route_to("app", max_body="1KiB")])
    others = bystander(gateway)
    before = app.received
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=1025))
        assert_made_here(client.response("POST"), "body_too_large")
    assert app.received == before
    others()


def test_exactly_the_limit_passes(portico, upstream):
    with portico(upstream(echo), routes=[route_to("app", max_body="1KiB")]).client() as client:
        assert client.ask(post(b"x" * 1024)).status == 200
        assert client.ask(get("/", "POST", transfer_encoding="chunked") + chunked(b"x" * 1000, b"y" * 24)).status == 200


def test_too_large_in_the_middle_is_413(portico, upstream, bystander):
    app = upstream(echo)
    gateway = portico(app, routes=[route_to("app", max_body="1KiB")])
    others = bystander(gateway)
    with gateway.client() as client:
        client.send(get("/", "POST", transfer_encoding="chunked") + chunked(b"x" * 1000))
        assert client.response("POST").status == 200
        client.send(get("/large", "POST", transfer_encoding="chunked") + chunked(b"x" * 1000, b"y" * 25) + get("/smuggled"))
        assert_made_here(client.response("POST"), "body_too_large")
        client.rest()
    others()
    assert not {"/large", "/smuggled"} & {request.target for request in app.requests}


def test_a_client_that_goes_on_sending_can_read_its_413(portico, upstream):  # A36
    gateway = portico(upstream(), routes=[route_to("app", max_body="1KiB")])
    with gateway.client() as client:
        client.send(get("/", "POST", content_length=8 * BLOCK))
        try:
            for block in blocks(8 * BLOCK):
                client.send(block)
        except ConnectionError:
            pass
        assert client.response("POST").status == 413


@pytest.mark.parametrize("settings, request_head, fault", [
    ({"request_line_max": "1KiB"}, get("/" + "x" * 1100), "target_too_long"),
    ({"head_max": "4KiB"}, get("/", x_large="x" * 4100), "head_too_large"),
    ({"head_max": "4KiB"}, get("/", **{f"x_{number}": "x" * 100 for number in range(50)}), "head_too_large"),
    ({"fields_max": 20}, get("/", **{f"x_{number}": number for number in range(21)}), "too_many_fields"),
], ids=["line", "one field", "all fields", "count"])
def test_heads_beyond_the_limits(portico, upstream, bystander, settings, request_head, fault):  # A35
    app = upstream()
    gateway = portico(app, client=settings)
    others = bystander(gateway)
    before = app.received
    assert_made_here(only(gateway.raw(request_head + get("/smuggled"))), fault)
    assert_made_here(only(gateway.raw(request_head, slowly=True)), fault)
    assert app.received == before
    others()


def test_heads_that_never_end(portico, upstream):  # A35
    app = upstream()
    gateway = portico(app)
    endless = b"x" * 10_000_000
    assert only(gateway.raw(b"GET /" + endless)).status == 414
    assert only(gateway.raw(b"GET / HTTP/1.1\r\nHost: portico.test\r\nX: " + endless)).status == 431
    assert only(gateway.raw(b"GET / HTTP/1.1\r\nHost: portico.test\r\n" + b"X: y\r\n" * 1_000_000)).status == 431
    assert app.received == b""


def test_within_the_default_limits(portico, upstream):
    app = upstream(named("app"))
    with portico(app).client() as client:
        assert client.get("/" + "x" * 7000).status == 200
        assert client.get("/", cookie="c" * 7000, authorization="Bearer " + "t" * 4000).status == 200
        assert client.get("/", **{f"x_{number}": number for number in range(60)}).status == 200


@pytest.mark.parametrize("line", [b"TRACE / HTTP/1.1", b"CONNECT portico.test:443 HTTP/1.1", b"CONNECT / HTTP/1.1"])
def test_trace_and_connect(portico, upstream, bystander, line):  # A46
    app = upstream()
    gateway = portico(app)
    others = bystander(gateway)
    before = app.received
    response = only(gateway.raw(line + b"\r\nHost: portico.test\r\n\r\n" + get("/smuggled")))
    assert response.status == 405
    assert response.get("Allow")  # RFC 9110 section 15.5.6
    assert app.received == before
    others()


def test_method_overrides_do_not_reach_the_upstream(portico, upstream):  # A46
    app = upstream(echo)
    with portico(app).client() as client:
        client.ask(post(b"x", x_http_method_override="DELETE"))
    assert app.requests[0].method == "POST" and app.requests[0].get("X-HTTP-Method-Override") is None


# The shape of an answer -----------------------------------------------------------------------------------

def test_a_plain_answer_says_what_happened(portico, upstream):
    gateway = portico(upstream(), routes=[route_to("app", "/app")])
    with gateway.client() as client:
        response = client.get("/nowhere")
    assert response.get("Content-Type").startswith("text/plain")
    assert FAULTS["no_route"].sentence in response.body.decode()
    assert response.get("Date")


def test_a_json_answer_by_accept(portico, upstream):
    gateway = portico(upstream(), routes=[route_to("app", "/app")])
    with gateway.client() as client:
        response = client.get("/nowhere", accept="text/html;q=0.5, application/json")
    assert response.get("Content-Type") in ("application/json", "application/problem+json")
    assert response.json["status"] == 404
    assert FAULTS["no_route"].sentence in response.body.decode()


def test_an_answer_to_head_has_no_content(portico, upstream):
    gateway = portico(upstream(), routes=[route_to("app", "/app")])
    with gateway.client() as client:
        assert client.get("/nowhere", method="HEAD").status == 404
        assert client.get("/app").status == 200


def test_the_request_id_is_the_logs(portico, upstream):
    gateway = portico(upstream(), routes=[route_to("app", "/app")])
    with gateway.client() as client:
        response = client.get("/nowhere", x_request_id="forged")
    assert response.get("X-Request-Id") == gateway.last_record().request_id != "forged"


# Clients that leave ---------------------------------------------------------------------------------------

def test_a_client_that_leaves_before_the_answer(portico, upstream, bystander):
    app, other = upstream(silent), upstream(named("other"))
    gateway = portico({"app": app, "other": other}, routes=[route_to("app", "/app"), route_to("other")])
    others = bystander(gateway)
    client = gateway.client()
    client.send(get("/app"))
    wait_until(lambda: app.received, "the request")
    client.reset()
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the upstream connection to be given up")
    others()
    record = next(record for record in gateway.log_records(3) if record.target == "/app")
    assert (record.status, record.cause) == (499, "client_gone")


def test_a_client_that_leaves_in_the_middle_of_the_response(portico, upstream, bystander):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
        for block in blocks(1 << 30):
            connection.send(block)

    app, other = upstream(script), upstream(named("other"))
    gateway = portico({"app": app, "other": other}, routes=[route_to("app", "/app"), route_to("other")])
    others = bystander(gateway)
    client = gateway.client()
    client.send(get("/app"))
    client.exactly(100000)
    client.reset()
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the upstream connection to be given up")
    others()
    record = next(record for record in gateway.log_records(3) if record.target == "/app")
    assert (record.status, record.cause) == (200, "client_gone")


def test_a_client_that_leaves_in_the_middle_of_its_upload(portico, upstream):
    app = upstream(silent)
    gateway = portico(app)
    client = gateway.client()
    client.send(get("/", "POST", content_length=1000) + b"half")
    wait_until(lambda: b"half" in app.received, "the beginning of the upload")
    client.close()
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the upstream connection to be given up")
    assert gateway.last_record().cause == "client_gone"


def test_a_client_that_stops_reading_is_given_up(portico, upstream):
    def script(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 28))
        for block in blocks(1 << 28):
            connection.send(block)

    gateway = portico(upstream(script), client={"write_timeout": "500ms"})
    with gateway.client(receive_buffer=16384) as client:
        client.send(get("/"))
        assert gateway.last_record().cause == "client_stalled"


def test_a_client_that_ends_its_side_gets_its_answer_in_time_or_not_at_all(portico, upstream):
    app = upstream(silent)
    gateway = portico(app, client={"half_close_timeout": "300ms"})
    with gateway.client() as client:
        client.send(get("/"))
        client.half_close()
        client.rest()
    assert gateway.last_record().cause == "client_gone"
    wait_until(lambda: app.connections[0].sock.fileno() < 0, "the upstream connection to be given up")
