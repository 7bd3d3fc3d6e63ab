#!/bin/sh
# Miniflare starts this in place of workerd, so that workerd never outlives the launcher and never dies before its turn.

# The data holds all projects' secrets, whoever started this.
umask 077

# Miniflare would restart a workerd that ends because the launcher is stopping.
[ -z "$DS_STOPPING" ] || exit 0

# A workerd that crashed leaves two things behind: its socket, without which the next could not listen, and its watcher,
# which keeps a socket of the launcher open. The record is of this launcher: it removes that of another at its start.
rm -f "$DS_CONTROL"
[ ! -f "$DS_PROCESS_RECORD" ] || kill -9 "$(sed -n 3p "$DS_PROCESS_RECORD")" 2>/dev/null

# A terminal sends Ctrl-C to the whole group, but only the launcher decides how workerd ends.
trap '' INT HUP TERM

# The watcher. Descriptor 3 is a socket whose other end only the launcher holds: end of file means that the launcher is
# gone, however it died. It must not kill another process which got the same number.
{
  read -r _ <&3
  case "$(tr '\0' ' ' 2>/dev/null <"/proc/$$/cmdline" || ps -ww -o command= -p "$$")" in
    "$DS_WORKERD "*) kill -9 "$$" ;;
  esac
} </dev/null >/dev/null 2>&1 &

# The launcher and `kill9` of the tests look up which process serves; `process-record.ts` reads this.
printf '%s\n%s\n%s\n' "$$" "$DS_WORKERD $*" "$!" >"$DS_PROCESS_RECORD"

trap - TERM
exec "$DS_WORKERD" "$@"
