# On the host, once for every request about a step: claim it, or find it claimed, and tell what came of it.
#
# Read by `sh` as a whole (a text cut off by a lost connection must not run in part), for dash, busybox and others.
# Given: mark (begins each line meant for the agent), step, agent, place, boot (where and since when the ledger has
# been known to the agent; both empty: find a place), again (yes: this step may have been asked for before),
# seconds, half (bytes kept of each end of an output), runner (carry_out.sh and the command).

say() { printf '%s %s\n' "$mark" "$*"; }
printf '\n' && say here || exit # unheard, the step would be taken for not begun
mask=$(umask)
umask 077
trap : HUP PIPE # caught, not ignored: what is ignored stays so in the command
read -r booted 2>/dev/null </proc/sys/kernel/random/boot_id || booted=unknown

# A folder that only we can have made, on a file system with room. The last one is in memory: a full disk is treated.
usable() {
    [ -d "$1" ] || mkdir "$1" 2>/dev/null
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] || return 1
    [ -d "$1/$agent" ] || mkdir "$1/$agent" 2>/dev/null
    printf '%4096s' '' 2>/dev/null >"$1/$agent/.room.$$" && [ -s "$1/$agent/.room.$$" ]
    room=$?
    rm -f "$1/$agent/.room.$$"
    [ $room = 0 ] && mkfifo "$1/$agent/.room.$$" 2>/dev/null || return 1
    rm -f "$1/$agent/.room.$$"
    # By this a ledger is known from another one that was begun anew in the same place: there no claim says nothing.
    [ -s "$1/$agent/born" ] || echo "${mark#*:}" 2>/dev/null >"$1/$agent/born"
    [ -s "$1/$agent/born" ]
}

# Since when the ledger has been there all the time: boot of the host, and making of the ledger.
since() {
    read -r born 2>/dev/null <"$place/$agent/born"
    echo "$booted-$born"
}

find_place() {
    user=$(id -u)
    for found in "${HOME:-/}/.paramedic" "/var/tmp/paramedic-$user" "/dev/shm/paramedic-$user"; do
        if usable "$found"; then
            # What was left by steps of a month ago has been asked for, or never will be. The claim itself stays for
            # another month: it may be of today, and the clock may have jumped.
            find "$found" -mindepth 2 -maxdepth 2 -type d -mtime +30 \
                -exec sh -c 'for old; do rmdir "$old" || rm -f "$old"/*; done' sh {} + 2>/dev/null
            place=$found
            say place "$(since)" "$place"
            exit 0
        fi
    done
    say refused "no folder can be written: tried ${HOME:-/}/.paramedic, /var/tmp and /dev/shm"
    exit 0
}

start() {
    # Room for the result is taken now: it must be possible to write it when the disk is full.
    {
        printf '%-40s\n' '' >"$claim/result.new" && [ -s "$claim/result.new" ] &&
            printf '%-99s\n' '' >"$claim/runner.new" && [ -s "$claim/runner.new" ] &&
            mkfifo "$claim/out.pipe" "$claim/err.pipe"
    } 2>/dev/null || {
        rm -rf "$claim"
        say refused "no room in $place"
        exit 0
    }
    session=setsid
    command -v setsid >/dev/null || session=
    given="claim=\$1; seconds=\$2; half=\$3; mask=\$4; session=\$5; booted=\$6"
    printf '{ %s\n%s\n}\n' "$given" "$runner" |
        $session sh -c 'eval "$(cat)"' paramedic "$claim" "$seconds" "$half" "$mask" "$session" "$booted" \
            >/dev/null 2>&1 &
    wait $!
}

# Somebody else began it: until there is a result, or nobody is left to write one.
follow() {
    waited=0
    while [ ! -f "$claim/result" ]; do
        if read -r pid began its_boot 2>/dev/null <"$claim/runner"; then
            [ "$its_boot" = "$booted" ] || lost "the host was restarted while the step was under way"
            now_began=
            read -r stat 2>/dev/null <"/proc/$pid/stat" && now_began=$(set -- $stat && echo "${22}")
            if [ "$now_began" != "$began" ] && [ ! -f "$claim/result" ]; then
                lost "what carried the step out was killed on the host"
            fi
        elif [ $waited -ge 100 ]; then
            lost "what should have carried the step out was killed on the host"
        fi
        waited=$((waited + 1))
        sleep 0.05 2>/dev/null || sleep 1
    done
}

lost() {
    say lost "$*"
    exit 0
}

# One output: its beginning, and where it was longer than is kept, how much is missing and its end.
output() {
    cat "$claim/$1"
    if [ -f "$claim/$1.end" ]; then
        printf '\n[%d bytes dropped]\n' "$(($(cat "$claim/$1.count") - $(wc -c <"$claim/$1.end")))"
        cat "$claim/$1.end"
    fi
}

[ -n "$place" ] || find_place
claim=$place/$agent/$step
if [ ! -d "$claim" ]; then
    if [ "$again" = yes ]; then
        # Nobody has claimed it: true only of a ledger that has been there all the time.
        case $boot in
            unknown*) lost "the host cannot tell whether it was restarted" ;;
            "$booted"-*) ;;
            *) lost "the host was restarted, and what the step did before is not on record there" ;;
        esac
        [ -d "$place/$agent" ] || lost "the host's ledger $place is gone"
        [ "$boot" = "$(since)" ] || lost "the host's ledger $place was lost and begun anew"
    fi
    if mkdir "$claim" 2>/dev/null; then
        start
    elif [ ! -d "$claim" ]; then
        say refused "$claim cannot be made"
        exit 0
    fi
fi
follow
read -r how status times <"$claim/result"
[ -n "$how" ] || lost "what came of the step did not reach the host's disk"
say "$how" "$status" "$(since)" $times
output out
printf '\n%s\n' "$mark" >&2
output err >&2
