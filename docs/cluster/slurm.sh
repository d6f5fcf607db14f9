#!/usr/bin/env bash
# One study on the nodes of one Slurm job:
#
#     sbatch docs/cluster/slurm.sh STUDY [options of 'lossbench run']
#
# Set before (sbatch hands the environment on):
#     LOSSBENCH_VENV   virtual environment to activate, at one path on all nodes; else what is on PATH
#     LOSSBENCH_HOME   home folder on a shared file system (default: ./lossbench-home)
#     LOSSBENCH_DATA   folder of the datasets (default: ./data)
#     LOSSBENCH_DB     URL of a PostgreSQL database; if absent, a server runs inside the job, with its files
#                      in LOSSBENCH_HOME/postgresql
#
# Ten minutes before the time limit the trials finish their epoch and leave checkpoints; then the job goes back
# into the queue, and the next one goes on where this one stopped.

#SBATCH --job-name=lossbench
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --open-mode=append
#SBATCH --output=lossbench-%j.log
## With GPUs:
##SBATCH --gpus-per-node=4

set -euo pipefail

: "${1:?usage: sbatch slurm.sh STUDY [options of 'lossbench run']}"
export LOSSBENCH_HOME=${LOSSBENCH_HOME:-$PWD/lossbench-home}
export LOSSBENCH_DATA=${LOSSBENCH_DATA:-$PWD/data}
patience=${LOSSBENCH_PATIENCE:-420} # seconds for the epochs to finish, then the driver is stopped at once
cores=${SLURM_CPUS_PER_TASK:-$(nproc)}

if [[ -n ${LOSSBENCH_VENV:-} ]]; then
    # shellcheck disable=SC1091
    source "$LOSSBENCH_VENV/bin/activate"
fi

# Ray sends nothing home, its workers are as important as anything else on the node, and it ends when told to.
export RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:1
export RAY_worker_niceness=0 RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S=0
# Without a token anybody in the network could run code as you.
RAY_AUTH_TOKEN=$(python -c 'import secrets; print(secrets.token_hex(32))')
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
ulimit -n "$(ulimit -Hn)"

# --- signals: the time limit is near (USR1), or somebody ends the job or takes its nodes (TERM) -------------

driver=
signalled=
again=
reminder=
steps=()

# shellcheck disable=SC2317 # the traps call it
finish_epochs() {
    signalled=yes
    [[ -n $driver ]] || return 0
    kill -INT "$driver" 2>/dev/null || true
    (
        trap 'kill "$!"; exit' TERM
        sleep "$patience" &
        wait
        kill -INT "$driver" 2>/dev/null
    ) &
    reminder=$!
}
trap 'again=yes; finish_epochs' USR1
trap finish_epochs TERM

# --- what ends with the job ---------------------------------------------------------------------------------

database=
socket=

stop_everything() {
    trap '' USR1 TERM INT
    if [[ -n $reminder ]]; then
        kill "$reminder" 2>/dev/null || true
    fi
    if ((${#steps[@]})); then
        # To the processes of all steps, not to this script; 'kill' would have srun end them at once.
        scancel --signal=TERM "$SLURM_JOB_ID" || true
        wait "${steps[@]}" 2>/dev/null || true
    fi
    if [[ -n $database ]]; then
        pg_ctl --pgdata "$database" --mode fast --wait stop >/dev/null || true
    fi
    if [[ -n $socket ]]; then
        rm -rf "$socket"
    fi
}
trap stop_everything EXIT

# --- the database: the driver runs on this node and is the only one that talks to it -------------------------

start_postgresql() {
    local debian
    for debian in /usr/lib/postgresql/*/bin; do
        PATH=$PATH:$debian
    done
    local folder=$LOSSBENCH_HOME/postgresql
    socket=$(mktemp -d /tmp/lb-pg-XXXXXX) # only its owner gets in
    if [[ ! -f $folder/PG_VERSION ]]; then
        mkdir -p "$LOSSBENCH_HOME"
        initdb --pgdata "$folder" --username lossbench --auth trust --encoding UTF8 >/dev/null
    fi
    local other
    other=$(cat "$folder/slurm-job" 2>/dev/null || true)
    if [[ -n $other && $other != "$SLURM_JOB_ID" && -n $(squeue --noheader --jobs="$other" 2>/dev/null) ]]; then
        echo "job $other holds the database in $folder; wait for it, or give both jobs a LOSSBENCH_DB" >&2
        exit 1
    fi
    echo "$SLURM_JOB_ID" >"$folder/slurm-job"
    rm -f "$folder/postmaster.pid" # of a job whose node died
    pg_ctl --pgdata "$folder" --log "$folder/server.log" --wait \
        --options "-c listen_addresses='' -c unix_socket_directories='$socket'" start >/dev/null
    database=$folder
    createdb --host "$socket" --username lossbench results 2>/dev/null || true # there since the first job
    export LOSSBENCH_DB="postgresql+psycopg://lossbench@/results?host=$socket"
    echo "database: $LOSSBENCH_DB"
}

if [[ -z ${LOSSBENCH_DB:-} ]]; then
    start_postgresql
fi

# --- Ray: a head on this node, the first of the job, and one raylet on each of the others --------------------

# Runs on a node, until it is told to end. Ray wants a short path, and leaves its files behind.
# shellcheck disable=SC2317 # srun calls it
ray_node() {
    local folder
    folder=$(mktemp -d /tmp/lb-XXXXXX)
    ray start "$@" --temp-dir "$folder" --disable-usage-stats --block &
    local ray=$!
    # shellcheck disable=SC2064
    trap "kill -TERM $ray 2>/dev/null" TERM INT
    wait "$ray" || true
    wait "$ray" || true # the first one ends with the signal
    rm -rf "$folder"
}
export -f ray_node

on_nodes() { # NUMBER LIST ARGUMENTS...: 'ray start' on these nodes; one that dies takes no other with it
    local number=$1 list=$2
    shift 2
    # shellcheck disable=SC2016
    srun --nodes="$number" --ntasks="$number" --ntasks-per-node=1 --nodelist="$list" \
        --cpus-per-task="$cores" --overlap --no-kill --kill-on-bad-exit=0 --wait=0 \
        bash -c 'ray_node "$@"' ray_node --num-cpus="$cores" "$@" &
    steps+=("$!")
}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=${LOSSBENCH_HEAD_IP:-$(python -c 'import ray; print(ray.util.get_node_ip_address())')}
port=${LOSSBENCH_RAY_PORT:-$((20000 + SLURM_JOB_ID % 10000))}

on_nodes 1 "${nodes[0]}" --head --node-ip-address="$address" --port="$port" --include-dashboard=false
for ((second = 0; ; second++)); do
    if (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; then
        break
    fi
    if ((second == 120)) || ! kill -0 "${steps[0]}" 2>/dev/null; then
        echo "Ray's head did not start on ${nodes[0]} ($address:$port)" >&2
        exit 1
    fi
    sleep 1
done
if ((${#nodes[@]} > 1)); then
    others=$(IFS=,; echo "${nodes[*]:1}")
    on_nodes $((${#nodes[@]} - 1)) "$others" --address="$address:$port"
fi

# --- the study: its driver takes in nodes as they join ------------------------------------------------------

code=75 # as 'lossbench run' ends when trials are left
if [[ -z $signalled ]]; then
    set -m # else bash would have the driver ignore SIGINT
    lossbench run "$@" --address "$address:$port" &
    driver=$!
    set +m
    while :; do
        signalled=
        code=0
        wait "$driver" || code=$?
        [[ -n $signalled ]] || break # else a signal has ended the waiting, not the driver
    done
fi

stop_everything
trap - EXIT
if [[ -n $again && ($code -eq 75 || $code -eq 130) ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
