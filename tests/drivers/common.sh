# Shared by the shell driver tests: sourced. The connection comes from libpq's environment variables.
set -euo pipefail
MODE="${PGWEIR_TEST_MODE:-plain}"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
PINNED=0b9c1c1e-0000-4000-8000-000000000001

fail() { echo "FAILED: $*" >&2; exit 1; }
expect() { # WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || fail "$1: expected [$2], got [$3]"
  echo "ok: $1"
}
expect_match() { # WHAT PATTERN TEXT
  grep -Eq -- "$2" <<<"$3" || fail "$1: no match for [$2] in: $3"
  echo "ok: $1"
}
q() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
