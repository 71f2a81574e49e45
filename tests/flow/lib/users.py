"""People with passwords: hashes as htpasswd files hold them, and the field by which they come in (RFC 7617)."""
import base64
import crypt


def bcrypt(password, cost=4):
    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << cost))


def sha512(password):
    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_SHA512, rounds=1000))


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def users(**passwords):
    """A mapping for `basic_auth`."""
    return {"users": {name: sha512(password) for name, password in passwords.items()}}
