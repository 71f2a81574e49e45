"""A name server with a zone that scenarios change while it runs."""
import socket
import threading

from dnslib import A, QTYPE, RCODE, RR, DNSRecord

from lib.ports import free_port


class NameServer:
    """`zone` maps names to lists of IPv4 addresses; a missing name is NXDOMAIN. `queries` counts what was asked."""

    def __init__(self, zone=None, ttl=600):
        self.zone, self.ttl, self.queries = zone or {}, ttl, []
        self.port = free_port()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def environment(self):
        return {"PORTICO_DNS": f"127.0.0.1:{self.port}"}

    def _serve(self):
        while True:
            try:
                packet, sender = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(DNSRecord.parse(packet)).pack(), sender)
            except OSError:
                return

    def _answer(self, query):
        reply = query.reply()
        name = str(query.q.qname).rstrip(".").lower()
        self.queries.append((name, QTYPE[query.q.qtype]))
        if name not in self.zone:
            reply.header.rcode = RCODE.NXDOMAIN
        elif query.q.qtype == QTYPE.A:
            for address in self.zone[name]:
                reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(address), ttl=self.ttl))
        return reply

    def close(self):
        self._socket.close()
