# The gateway alone, as a user without privileges, on a root file system that may be read-only:
#
#   docker build -t portico .
#   docker run --read-only --cap-drop ALL -p 8080:8080 -v ./portico.yaml:/etc/portico/portico.yaml:ro portico
#
# Ports below 1024 inside: --sysctl net.ipv4.ip_unprivileged_port_start=0 (the default of newer Docker).
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev meson ninja-build pkg-config python3 \
    libevent-dev libc-ares-dev libyaml-dev libpcre2-dev libssl-dev libnghttp2-dev libcurl4-openssl-dev libcmocka-dev \
    libcap-dev libseccomp-dev
COPY . /source
RUN meson setup /build /source -Db_lto=true --buildtype=release && ninja -C /build portico

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates libevent-core-2.1-7 libc-ares2 libyaml-0-2 \
    libpcre2-8-0 libssl3 libnghttp2-14 libcurl4 libcap2 libseccomp2 && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/portico /usr/local/bin/portico
USER 65534:65534
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["portico", "check", "--live", "/etc/portico/portico.yaml"]
ENTRYPOINT ["portico", "run"]
CMD ["/etc/portico/portico.yaml"]
