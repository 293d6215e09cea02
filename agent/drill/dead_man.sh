# On a host, before a drill breaks anything there: undoes it by itself when nobody has been heard of for too long.
#
# Given: place (folder of this timer), silent (seconds without a beat), latest (seconds at the most), and undo_all, a
# function that calls `one` for each undo. All of it is in memory: a full disk or a folder that is gone hinders nothing.

one() { # number of the undo, seconds it may take, yes if as root, command
    as=
    [ "$3" = yes ] && [ "$(id -u)" != 0 ] && as='sudo -n --'
    limit="timeout -s KILL $2" # within sudo: what root runs, only root can end
    $limit true 2>/dev/null || limit=
    $as sh -c "$limit sh -c \"\$1\"" undo "$4" </dev/null >/dev/null 2>&1
    status=$?
    { echo "$1 $status" >>"$place/ended"; } 2>/dev/null
}

undo() {
    if [ -d "$place" ]; then mkdir "$place/claimed" 2>/dev/null || exit 0; fi # disarmed
    trap : HUP INT TERM # not ignored: a service that is started here would inherit that
    { echo "$1" >"$place/why"; } 2>/dev/null # no special built-in: a redirection that fails would end the shell
    undo_all
    { true >"$place/undone"; } 2>/dev/null
    exit 0
}
trap 'undo "it was told to end"' HUP INT TERM

echo $$ >"$place/pid.new" && mv "$place/pid.new" "$place/pid"
quiet=0
all=0
heard=
while [ "$quiet" -lt "$silent" ] && [ "$all" -lt "$latest" ]; do
    sleep 1 &
    wait $! # which a signal ends at once
    now=0
    [ -e "$place/beat.1" ] && now=1
    if [ "$now" = "$heard" ]; then quiet=$((quiet + 1)); else quiet=0 heard=$now; fi
    all=$((all + 1))
done
if [ "$quiet" -ge "$silent" ]; then
    undo "nothing was heard of the drill for $silent s"
else
    undo "the drill had not ended after $latest s"
fi
