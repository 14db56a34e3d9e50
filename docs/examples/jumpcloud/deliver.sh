#!/bin/sh
# Sends a delivery to a hook, signed as Standard Webhooks says: deliver.sh HOOK BODY < SECRET
set -eu
hook="$1" body="$2" id="msg_$(openssl rand -hex 8)" now="$(date +%s)"
key="$(sed 's/^whsec_//' | base64 -d | od -An -vtx1 | tr -d ' \n')"
signature="$(printf '%s.%s.%s' "$id" "$now" "$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)"
curl -sS --fail-with-body "$CRONCLAVE_URL/v1/hooks/$hook" -d "$body" -H 'Content-Type: application/json' \
  -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$signature"
echo
