#!/bin/sh
# One element of an array of Slurm's: makes runs of a sweep beside the others, `element.sh OUT WORD…` with the words of
# `./run bench … --worker`. `./run slurm` writes the batch file that ends in this, called in the project's folder.
#
# USR1 comes before the time limit: the run at work is kept, and the element is queued again. TERM comes from scancel, and
# where Slurm preempts, which queues the element again itself.
set -u
out=$1
shift
element=${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}
# Says of each element: starts that brought nothing, what was stored then, its process; and how it ended.
notes=$out/slurm/elements/$element

say() {
  printf '%s element %s: %s\n' "$(date '+%F %T')" "$element" "$1"
}

# Ends with an exit code, and says why.
end() {
  say "$2"
  printf '%s\n' "$2" >"$notes.end"
  exit "$1"
}

# What the folder has: another run, or a run a step further on, is another line. Sizes tell of a scoring that went on.
stored() {
  ls -s "$out/runs" "$out/bases" "$out"/checkpoints/* 2>/dev/null | cksum | tr ' ' -
}

mkdir -p "$out/slurm/elements"
rm -f "$notes.end"
now=$(stored)
idle=0
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ] && read -r count before _ <"$notes.start" && [ "$before" = "$now" ]; then
  idle=$((count + 1))
fi
printf '%s %s -\n' "$idle" "$now" >"$notes.start"
[ "$idle" -lt 3 ] ||
  end 1 "stopped: it was started $idle times more, and no run went a step further; is its time limit too short?"

worker=
asked=
# The process always gets TERM: at USR1 Deno opens its debugger, to whoever is on this machine.
pass() {
  asked=$1
  [ -z "$worker" ] || kill -s TERM "$worker" 2>/dev/null
}
trap 'pass USR1' USR1
trap 'pass TERM' TERM

# Mesa's software adapter would take every core of the node.
threads=${SLURM_CPUS_PER_TASK:-1}
# With one core it computes in its own thread.
[ "$threads" -gt 1 ] || threads=0
export LP_NUM_THREADS="${LP_NUM_THREADS:-$threads}"
say "start ${SLURM_RESTART_COUNT:-0} on $(uname -n)"
./run "$@" &
worker=$!
printf '%s %s %s-%s\n' "$idle" "$now" "$(uname -n)" "$worker" >"$notes.start"
[ -z "$asked" ] || pass "$asked"
# A signal ends `wait` before the process has ended.
code=0
wait "$worker" || code=$?
while kill -0 "$worker" 2>/dev/null; do
  code=0
  wait "$worker" || code=$?
done

# What Slurm sends once the element is queued again ends it.
trap '' TERM
case $code-$asked in
  0-*) end 0 "done: nothing is left for it" ;;
  143-USR1)
    scontrol requeue "$element" || end 1 "stopped: Slurm could not queue it again; ./run slurm goes on from what is kept"
    say "its run is kept, and it is queued again"
    ;;
  143-*) end 143 "stopped by TERM: its run is kept" ;;
  *) end "$code" "failed with exit code $code" ;;
esac
