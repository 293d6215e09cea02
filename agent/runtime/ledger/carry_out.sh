# On the host, once for a step, apart from the connection that asked for it: run the command, keep what came of it.
#
# Given: claim (folder of this step), seconds (after which the command is killed), half (bytes kept of each end of an
# output), mask (umask of the command), session (setsid, or nothing where there is none), booted, command,
# sudo (yes: as root), secret (yes: its text must be in no list of processes and in no log).

over=
left=
trap : HUP PIPE TERM
trap 'over=yes' USR1
trap 'left=yes' USR2
read -r from rest 2>/dev/null </proc/uptime
read -r stat 2>/dev/null <"/proc/$$/stat" && began=$(set -- $stat && echo "${22}")
printf '%-99s\n' "$$ $began $booted" 1<>"$claim/runner.new"
mv "$claim/runner.new" "$claim/runner"

# Standard input to a bounded file, to its end even where nothing more can be written: the command must not notice.
keep() {
    if dd bs=1 count="$half" of="$1" 2>/dev/null; then
        [ "$(wc -c <"$1")" -ge "$half" ] || return # that was all
        mkfifo "$1.more"
        wc -c <"$1.more" >"$1.count" &
        tee "$1.more" | tail -c "$half" >"$1.rest"
        wait
        rm -f "$1.more"
        if [ -s "$1.rest" ]; then mv "$1.rest" "$1.end"; else rm -f "$1.rest" "$1.count"; fi
    fi
    cat >/dev/null
}

keep "$claim/out" <"$claim/out.pipe" &
out=$!
keep "$claim/err" <"$claim/err.pipe" &
err=$!
[ "$sudo" = yes ] && [ "$(id -u)" != 0 ] || sudo=
# As root the command line is the very text that sudoers may allow.
carry_out() {
    umask "$mask"
    case $sudo-$secret in
        yes-yes) exec $session sudo -n -- sh -c 'eval "$(cat)"' ;;
        yes-*) exec $session sudo -n -- sh -c "$command" </dev/null ;;
        *) exec $session sh -c 'eval "$(cat)"' sh ;;
    esac
}
# Within braces: half of a text, should this be killed while it is handed over, is a syntax error.
printf '{ %s\n}\n' "$command" | carry_out >"$claim/out.pipe" 2>"$claim/err.pipe" &
pid=$!

sh -c '
    trap "kill -KILL \$! 2>/dev/null; exit" TERM # what has just been forked may miss every other signal
    sleep "$1" &
    wait
    trap - TERM
    : >"$2/late"
    kill -TERM "-$3" || kill -TERM "$3"
    sleep 2
    kill -KILL "-$3" || kill -KILL "$3"
    sleep 1
    kill -USR2 "$4" # what runs as root by sudo is not ours to kill: it goes on, we do not wait for it
' paramedic "$seconds" "$claim" "$pid" $$ >/dev/null 2>&1 &
limit=$!

while [ -z "$left" ]; do # a signal that we catch ends the wait, not the command
    wait "$pid"
    status=$?
    [ "$status" -gt 128 ] || break
    [ -d "/proc/$pid" ] || kill -0 "$pid" 2>/dev/null || break
done
kill -TERM "$limit" 2>/dev/null

# What the command left running may hold its output open for days: a second for the rest of it, no more.
# And a process that has just been made may have missed its signal: its sleep would be left on the host.
(
    trap - USR1 TERM
    sleep 1
    while kill -TERM "$limit"; do sleep 1; done &
    while kill -USR1 $$; do sleep 1; done
) >/dev/null 2>&1 &
[ -n "$over" ] || wait "$out"
[ -n "$over" ] || wait "$err"
rm -f "$claim/out.pipe" "$claim/err.pipe"
[ -f "$claim/out" ] || : >"$claim/out"
[ -f "$claim/err" ] || : >"$claim/err"
how=done
if [ -f "$claim/late" ]; then how=late; fi
if [ -n "$left" ]; then how=left; fi
read -r to rest 2>/dev/null </proc/uptime
# Over what is there already, which takes no room; and then at once, which is why the name changes last.
printf '%-40s\n' "$how $status $from $to" 1<>"$claim/result.new"
mv "$claim/result.new" "$claim/result"
