# ranks.sh: programs on ranks of this machine, and a verdict; sourced by the scripts beside it.
# shellcheck shell=bash
failed=0
bin=$TEST_BUILD/bin tests=$TEST_BUILD/tests
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

fail() {
    echo "FAILED: $1"
    failed=1
}

# ranks N COMMAND...: on N ranks, more than there are cores if need be.
ranks() {
    local count=$1 options=
    shift
    mpirun --version 2>/dev/null | grep -q 'Open MPI' && options='--oversubscribe --bind-to none'
    mpirun $options -n "$count" "$@"
}

# pass N COMMAND...: must succeed within a minute; what it printed is shown if it doesn't. NAME=VALUE
# words before the command go into its environment.
pass() {
    local count=$1
    shift
    ranks "$count" timeout 60 env "$@" >pass.log 2>&1 && return
    fail "$* on $count ranks ended with $?"
    tail -n 30 pass.log
}
