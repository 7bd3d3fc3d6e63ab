#!/bin/sh
# Miniflare starts this in place of workerd, so that workerd never outlives the launcher and never dies before its turn.

# Miniflare would restart a workerd that ends because the launcher is stopping.
[ -z "$DS_STOPPING" ] || exit 0

# The launcher and `kill9` of the tests look up which process serves; `process-record.ts` reads this.
printf '%s\n%s\n' "$$" "$DS_WORKERD $*" >"$DS_PROCESS_RECORD"

# A workerd that crashed leaves its socket behind, and the next could not listen.
rm -f "$DS_CONTROL"

# A terminal sends Ctrl-C to the whole group, but only the launcher decides how workerd ends.
trap '' INT HUP TERM

# Descriptor 3 is a socket whose other end only the launcher holds: end of file means that the launcher is gone, however
# it died. A crashed workerd leaves this watcher behind; it must not kill another process which got the same number.
{
  cat <&3
  case "$(tr '\0' ' ' 2>/dev/null <"/proc/$$/cmdline" || ps -ww -o command= -p "$$")" in
    "$DS_WORKERD "*) kill -9 "$$" ;;
  esac
} </dev/null >/dev/null 2>&1 &

trap - TERM
exec "$DS_WORKERD" "$@"
