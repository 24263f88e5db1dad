#!/bin/bash
# A private authority, a certificate for this machine whose key is for mosquitto alone, and one for a client.
set -eu
cd /etc/mosquitto/certs
quiet() { "$@" 2> /dev/null; }
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
quiet openssl req -x509 "${key[@]}" -keyout ca.key -out ca.crt -days 30 -subj '/CN=house authority'
sign() { # NAME EXTENSION
  quiet openssl req "${key[@]}" -keyout "$1.key" -out "$1.csr" -subj "/CN=$1"
  quiet openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out "$1.crt" \
    -extfile <(echo "$2")
  rm "$1.csr"
}
sign server 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.77.0.5'
sign fleet 'extendedKeyUsage=clientAuth'
chown mosquitto:mosquitto server.key
chmod 600 ./*.key
