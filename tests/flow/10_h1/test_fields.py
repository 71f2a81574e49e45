"""What the upstream is told: target and Host untouched, hop-by-hop gone, forwarding fields the gateway's own."""
import pytest

from lib.client import chunked, get
from lib.upstream import answers, echo, ok


def seen_by_upstream(portico, upstream, request, **settings):
    app = upstream(echo)
    with portico(app, **settings).client() as client:
        response = client.ask(request)
        assert response.status == 200, response
    return app.requests[0]


@pytest.mark.parametrize("target", [
    "/", "/?", "/a//b/", "/%7Euser/%E2%82%AC?q=%20+&x=/../", "/a;v=1/b;w", "/caf%C3%A9", "/a?b?c", "/*", "/a:b@c",
    "/%41", "/$&'()*+,;=:@-._~!", "/users/alice/inbox", "/" + "x" * 3000,
])
def test_target_is_forwarded_byte_for_byte(portico, upstream, target):
    assert seen_by_upstream(portico, upstream, get(target)).start == f"GET {target} HTTP/1.1"


def test_options_asterisk(portico, upstream):
    assert seen_by_upstream(portico, upstream, get("*", "OPTIONS")).start == "OPTIONS * HTTP/1.1"


def test_absolute_form(portico, upstream):  # A29: its authority wins over Host
    request = seen_by_upstream(portico, upstream, get("http://Other.test:81/path?q", host="portico.test"))
    assert (request.start, request.get("Host").lower()) == ("GET /path?q HTTP/1.1", "other.test:81")


def test_absolute_form_without_path(portico, upstream):
    assert seen_by_upstream(portico, upstream, get("http://portico.test")).start == "GET / HTTP/1.1"


@pytest.mark.parametrize("host", ["portico.test", "Portico.TEST", "portico.test:8080", "127.0.0.1", "[::1]:80"])
def test_host_passes_unchanged(portico, upstream, host):
    assert seen_by_upstream(portico, upstream, get("/", host=host)).get("Host") == host


def test_unknown_methods_pass(portico, upstream):
    assert seen_by_upstream(portico, upstream, get("/", "PROPFIND")).method == "PROPFIND"


def test_hop_by_hop_fields_are_removed(portico, upstream):
    request = seen_by_upstream(portico, upstream, get(
        "/", connection="keep-alive, X-Hop", keep_alive="timeout=5", proxy_connection="keep-alive", te="gzip",
        upgrade="h2c", http2_settings="AAMAAABkAARAAAAAAAIAAAAA", proxy="http://evil", x_hop="1", x_stays="1"))
    for name in ("Connection", "Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "HTTP2-Settings", "Proxy", "X-Hop"):
        assert request.all(name) == [], name
    assert request.get("X-Stays") == "1"


def test_te_trailers_is_kept(portico, upstream):
    request = seen_by_upstream(portico, upstream, get("/", connection="TE", te="trailers, deflate"))
    assert request.get("TE") == "trailers"


def test_hop_by_hop_fields_of_the_response_are_removed(portico, upstream):
    app = upstream(answers(ok(connection="X-Hop", x_hop="1", keep_alive="timeout=5", x_stays="1")))
    with portico(app).client() as client:
        response = client.get("/")
    assert [response.get(name) for name in ("X-Hop", "Keep-Alive", "X-Stays")] == [None, None, "1"]


def test_a_response_may_nominate_its_transfer_encoding(portico, upstream):
    """Some servers and content delivery networks do. It ends at this hop anyway."""
    app = upstream(answers(b"HTTP/1.1 200 OK\r\nConnection: keep-alive, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n"
                           + chunked(b"content")))
    with portico(app).client() as client:
        for _ in range(2):
            response = client.get("/")
            assert (response.status, response.body, response.get("Connection")) == (200, b"content", None)


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-For", "X-Real-IP", "Authorization", "Cookie", "Content-Length", "Transfer-Encoding"])
def test_connection_cannot_nominate_what_the_upstream_needs(portico, upstream, name):  # A32
    app = upstream()
    responses = portico(app).raw(get("/", connection=f"close, {name}"))
    assert [response.status for response in responses] == [400]
    assert app.received == b""


def test_forwarding_fields_are_the_gateways_own(portico, upstream):  # A30, A42
    request = seen_by_upstream(portico, upstream, get(
        "/", x_forwarded_for="6.6.6.6", x_forwarded_proto="https", x_forwarded_host="evil", x_real_ip="6.6.6.6",
        forwarded="for=6.6.6.6", x_forwarded_port="1"))
    assert request.get("X-Forwarded-For") == request.get("X-Real-IP") == "127.0.0.1"
    assert request.get("X-Forwarded-Proto") == "http"
    assert request.get("X-Forwarded-Host") == "portico.test"
    assert "6.6.6.6" not in str(request.fields)


def test_a_trusted_proxys_word_is_believed(portico, upstream):
    request = seen_by_upstream(portico, upstream, get("/", x_forwarded_for="6.6.6.6, 192.0.2.7", x_forwarded_proto="https"),
                               trusted_proxies=["127.0.0.0/8"])
    assert request.get("X-Forwarded-For") == "6.6.6.6, 192.0.2.7, 127.0.0.1"
    assert request.get("X-Real-IP") == "192.0.2.7"
    assert request.get("X-Forwarded-Proto") == "https"


OF_PROXIES = ["X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-FORWARDED-PREFIX", "x-forwarded-server", "X-Forwarded-Anything",
              "X-Original-URL", "X-Rewrite-Url"]


@pytest.mark.parametrize("trusted", [False, True])
def test_whatever_else_proxies_say_is_theirs_alone(portico, upstream, trusted):
    """Rack takes X-Forwarded-Ssl: on for https, others take X-Original-URL for the path."""
    head = get("/").replace(b"\r\n\r\n", b"".join(b"\r\n%s: forged" % name.encode() for name in OF_PROXIES) + b"\r\nX-Forwarded: 1\r\n\r\n")
    settings = {"trusted_proxies": ["127.0.0.0/8"]} if trusted else {}
    request = seen_by_upstream(portico, upstream, head, **settings)
    assert [request.get(name) for name in OF_PROXIES] == ["forged" if trusted else None] * len(OF_PROXIES)
    assert request.get("X-Forwarded") == "1"


def test_aliases_with_underscores_do_not_pass(portico, upstream):  # A31
    app = upstream(echo)
    with portico(app).client() as client:
        response = client.ask(b"GET / HTTP/1.1\r\nHost: portico.test\r\nX_Forwarded_For: 6.6.6.6\r\n\r\n")
        assert response.status == 400 or "6.6.6.6" not in str(app.requests[0].fields)


def test_secrets_pass_to_the_upstream(portico, upstream):
    request = seen_by_upstream(portico, upstream, get("/?access_token=s", authorization="Bearer s", cookie="id=s"))
    assert (request.target, request.get("Authorization"), request.get("Cookie")) == ("/?access_token=s", "Bearer s", "id=s")


def test_signed_fields_pass_byte_for_byte(portico, upstream):  # HTTP Signatures of ActivityPub
    signature = 'keyId="https://a.test/u#main-key",headers="(request-target) host date digest",signature="a+/b=="'
    request = seen_by_upstream(portico, upstream, get("/inbox", "POST", date="Tue, 07 Jun 2022 20:51:35 GMT",
                               digest="SHA-256=X48E9q==", signature=signature, content_length="0"))
    assert request.get("Signature") == signature and request.get("Digest") == "SHA-256=X48E9q=="
