#!/bin/sh
# Once per base image: the account that jobs run under, and the certificates of the base image together with the site's.
set -eu
if ! grep -q '^[^:]*:[^:]*:1000:' /etc/passwd 2>/dev/null; then
  echo 'atelier:x:1000:1000:Atelier jobs:/home/atelier:/bin/sh' >> /etc/passwd
  grep -q '^[^:]*:[^:]*:1000:' /etc/group 2>/dev/null || echo 'atelier:x:1000:' >> /etc/group
fi
mkdir -p /home/atelier
chown 1000:1000 /home/atelier
if [ -f /opt/atelier/site.pem ]; then
  for system in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -f "$system" ]; then cat "$system" /opt/atelier/site.pem > /opt/atelier/ca.pem; break; fi
  done
  [ -f /opt/atelier/ca.pem ] || cp /opt/atelier/site.pem /opt/atelier/ca.pem
fi
