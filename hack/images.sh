#!/usr/bin/env bash
# Makes images as archives in .local/images, without Docker. Run by `make image`.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .local/images

# kdcos, under a tag that is its content: changed code rolls out, unchanged code does not.
tag=$(cat .local/bin/manager .local/bin/fetcher .local/bin/dns .local/bin/stubdomains | sha256sum | cut -c1-12)
localcluster image --name "kdcos/kdcos:$tag" --out .local/images/kdcos.tar --binary .local/bin/manager --binary .local/bin/fetcher \
  --binary .local/bin/dns --binary .local/bin/stubdomains --port 8443 --port 8081 >/dev/null
echo "$tag" >.local/images/kdcos.tag

# The test server, under the names that samples and tests ask for, since a
# local cluster pulls nothing. Where there is a busybox, it is the shell.
CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o .local/bin/web ./test/images/web
shell=()
if busybox=$(localcluster assets)/busybox && [ -e "$busybox" ]; then
  shell=(--file "$busybox:/bin/sh")
fi
localcluster image --name tutum/hello_world --tag-also busybox --tag-also kdcos/web:v1 --tag-also kdcos/web:v2 \
  --out .local/images/web.tar --binary .local/bin/web --user 0:0 --port 80 --env PATH=/bin \
  "${shell[@]}" >/dev/null
