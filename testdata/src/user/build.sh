#!/bin/bash
# Assembles fixtures/user/walk.so (binutils 2.40).
set -euo pipefail
cd "$(dirname "$0")"
object=$(mktemp)
as -o "$object" walk.s
ld -shared --build-id=sha1 -z noseparate-code -z max-page-size=4096 --hash-style=gnu --eh-frame-hdr \
  -o ../../fixtures/user/walk.so "$object"
rm "$object"
