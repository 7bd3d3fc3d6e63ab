#!/bin/sh
# Miniflare starts this script instead of workerd, so that workerd never outlives the launcher and never ends too early.

# The data includes all projects' secrets, so only this user may read it.
umask 077

# Miniflare would restart a workerd that ends because the launcher is stopping.
[ -z "$DS_STOPPING" ] || exit 0

# A crashed workerd leaves two things behind: its socket, which would prevent the next one from listening, and its watcher,
# which keeps a socket of the launcher open. The record was written under this launcher, which removes older ones at its start.
rm -f "$DS_CONTROL"
[ ! -f "$DS_PROCESS_RECORD" ] || kill -9 "$(sed -n 3p "$DS_PROCESS_RECORD")" 2>/dev/null

# A terminal sends Ctrl-C to the whole group, but only the launcher decides how workerd ends.
trap '' INT HUP TERM

# The watcher. Descriptor 3 is a socket whose other end only the launcher holds: end of file means that the launcher has
# ended, for whatever reason. The watcher must not kill another process that got the same number.
{
  read -r _ <&3
  case "$(tr '\0' ' ' 2>/dev/null <"/proc/$$/cmdline" || ps -ww -o command= -p "$$")" in
    "$DS_WORKERD "*) kill -9 "$$" ;;
  esac
} </dev/null >/dev/null 2>&1 &

# Tells the launcher, and `kill9` in the tests, which process serves; `process-record.ts` reads this file.
printf '%s\n%s\n%s\n' "$$" "$DS_WORKERD $*" "$!" >"$DS_PROCESS_RECORD"

trap - TERM
exec "$DS_WORKERD" "$@"
