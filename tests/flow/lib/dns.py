"""A name server with a zone that scenarios change while it runs."""
import socket
import threading

from dnslib import A, QTYPE, RCODE, RR, DNSRecord

from lib.ports import free_port


class NameServer:
    """`zone` maps names to lists of IPv4 addresses, or SILENT; a missing name is NXDOMAIN. `delays` maps names to the seconds after
    which they are answered. `queries` keeps what was asked."""

    SILENT = None

    def __init__(self, zone=None, ttl=600):
        self.zone, self.ttl, self.delays, self.queries = zone or {}, ttl, {}, []
        self.port = free_port()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def environment(self):
        return {"PORTICO_DNS": self.address}

    def count(self, name):
        """How often the name was asked for, whatever of it."""
        return sum(asked == name for asked, _ in self.queries)

    def _serve(self):
        while True:
            try:
                packet, sender = self._socket.recvfrom(4096)
                self._hear(DNSRecord.parse(packet), sender)
            except OSError:
                return

    def _hear(self, query, sender):
        name = str(query.q.qname).rstrip(".").lower()
        self.queries.append((name, QTYPE[query.q.qtype]))
        if self.zone.get(name, []) is self.SILENT:
            return
        reply = self._answer(query, name).pack()
        if name in self.delays:
            threading.Timer(self.delays[name], self._send, (reply, sender)).start()
        else:
            self._socket.sendto(reply, sender)

    def _send(self, reply, sender):
        try:
            self._socket.sendto(reply, sender)
        except OSError:
            pass  # closed meanwhile

    def _answer(self, query, name):
        reply = query.reply()
        if name not in self.zone:
            reply.header.rcode = RCODE.NXDOMAIN
        elif query.q.qtype == QTYPE.A:
            for address in self.zone[name]:
                reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(address), ttl=self.ttl))
        return reply

    def close(self):
        self._socket.close()
