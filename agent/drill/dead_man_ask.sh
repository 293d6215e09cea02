# Asked of a host about its dead-man timer. Given: mark, name (of the timer's folder), act (arm, beat or disarm),
# timer (text of the timer, which is given its place), within (seconds to wait for an undoing under way).
# Answers one line: MARK armed|alive|fired|gone|disarmed|none|refused, and after `fired` why and how each undo ended.

mask=$(umask)
umask 077
tell() { printf '\n%s %s\n' "$mark" "$*"; }

place=
for each in /var/tmp /tmp "${HOME:-/}"; do
    [ -d "$each/$name" ] && place=$each/$name && break
done

alive() { # and it is the timer: after a reboot another process may have its number
    pid=$(cat "$place/pid" 2>/dev/null) && [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
    [ ! -r "/proc/$pid/cmdline" ] || grep -q "$name" "/proc/$pid/cmdline" 2>/dev/null
}

ended() { # not before: without its folder it would take itself for the last one left, and undo
    waited=0
    while alive && [ "$waited" -lt 50 ]; do
        sleep 0.1 2>/dev/null || sleep 1
        waited=$((waited + 1))
    done
}

fired() {
    waited=0
    while [ ! -e "$place/undone" ] && [ "$waited" -lt "$within" ] && alive; do
        sleep 1
        waited=$((waited + 1))
    done
    tell fired "$(cat "$place/why" 2>/dev/null)"
    cat "$place/ended" 2>/dev/null
}

arm() {
    for each in /var/tmp /tmp "${HOME:-/}"; do
        mkdir "$each/$name" 2>/dev/null && place=$each/$name && break
    done
    [ -n "$place" ] || { tell refused "no folder can be made in /var/tmp, /tmp or the home folder"; return; }
    true >"$place/beat.0"
    true >"$place/why"
    true >"$place/ended"
    session=
    command -v setsid >/dev/null 2>&1 && session=setsid
    (umask "$mask"; place=$place exec $session sh -c "$timer" "$name") </dev/null >/dev/null 2>&1 &
    waited=0
    while [ ! -s "$place/pid" ] && [ "$waited" -lt 10 ]; do
        sleep 0.2 2>/dev/null || sleep 1
        waited=$((waited + 1))
    done
    if alive; then tell armed; else tell refused "the timer did not start"; rm -rf "$place"; fi
}

case $act in
    arm)
        if [ -n "$place" ]; then tell refused "there is one already"; else arm; fi
        ;;
    beat)
        if [ -z "$place" ]; then
            tell none
        elif [ -d "$place/claimed" ]; then
            within=0 fired
        elif alive; then
            mv "$place/beat.0" "$place/beat.1" 2>/dev/null || mv "$place/beat.1" "$place/beat.0"
            tell alive
        else
            tell gone
        fi
        ;;
    disarm)
        if [ -z "$place" ]; then
            tell none
        elif [ -e "$place/disarmed" ] || mkdir "$place/claimed" 2>/dev/null; then
            true >"$place/disarmed"
            alive && kill "$pid" && ended
            rm -rf "$place"
            tell disarmed
        else
            fired
            rm -rf "$place"
        fi
        ;;
esac
