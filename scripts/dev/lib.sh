# shellcheck shell=bash
# What the scripts in this folder share.

# usage prints the indented lines of the comment at a script's top, and the line above them.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
  case "${1:-}" in -h | --help | help) exit 0 ;; *) exit 2 ;; esac
}

fail() { # message [log file]
  echo "scripts/dev/$(basename "$0"): $1${2:+; the end of $2:}" >&2
  if [ -n "${2:-}" ]; then tail -n 8 "$2" >&2 || true; fi
  exit 1
}

# fresh makes the folder $dir, which must be new or empty.
fresh() {
  : "${dir:?}"
  [ -z "$(ls -A "$dir" 2>/dev/null)" ] || fail "$dir is not empty: stop what runs there and remove it, or name another folder"
  mkdir -p "$dir"
}

# free_port prints the first of $1 ports in a row that nobody listens on, below those that the kernel gives to clients.
free_port() {
  local p n
  for _ in {1..200}; do
    p=$((15000 + RANDOM % 17000))
    for ((n = 0; n < $1; n++)); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$((p + n))") 2>/dev/null || continue 2
    done
    echo "$p"
    return
  done
  fail "no free port on 127.0.0.1"
}

# answers waits up to $2 seconds until $1, a URL, is answered, while process $3 (if named) lives.
answers() {
  for ((i = 0; i < $2 * 4; i++)); do
    if curl -s -m 2 -o /dev/null --noproxy '*' "$1"; then return; fi
    [ -z "${3:-}" ] || kill -0 "$3" 2>/dev/null || return 1
    sleep 0.25
  done
  return 1
}

# end stops the process whose id is in a file and waits for its end. It is killed: nothing that it holds is kept.
end() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  kill -9 "$pid" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.1
  done
}
