# machines.sh: two machines made of namespaces, with a real network between them; sourced.
# shellcheck shell=bash
#
# Each machine has its own network, host name, /etc/hosts and /dev/shm; a pair of virtual Ethernet
# devices joins them. Only namespaces made here are touched, and they end with the script.
# across() starts mpirun on one machine; its agent starts the other's daemon, as rsh would.
net=aimss-$$

remove_machines() {
    ip netns del "$net-a" 2>/dev/null
    ip netns del "$net-b" 2>/dev/null
}

# make_machine LETTER NUMBER
make_machine() {
    ip -n "$net-$1" addr add "10.213.77.$2/24" dev "veth-$1" &&
        ip -n "$net-$1" link set "veth-$1" up && ip -n "$net-$1" link set lo up || return
    cat >"machine-$1" <<EOF
#!/bin/sh
exec ip netns exec '$net-$1' unshare -m -u sh -c '
    hostname aimss-$1 && mount -t tmpfs -o size=1g tmpfs /dev/shm &&
    mount --bind "$PWD/hosts" /etc/hosts && exec "\$@"' machine "\$@"
EOF
    chmod +x "machine-$1"
}

make_machines() {
    trap remove_machines EXIT
    printf '127.0.0.1 localhost\n10.213.77.1 aimss-a\n10.213.77.2 aimss-b\n' >hosts
    # The agent gets the host's name and the daemon's command, already quoted for a shell.
    printf '#!/bin/sh\nshift\nexec "%s/machine-b" sh -c "$*"\n' "$PWD" >agent
    chmod +x agent
    ip netns add "$net-a" && ip netns add "$net-b" &&
        ip -n "$net-a" link add veth-a type veth peer name veth-b netns "$net-b" &&
        make_machine a 1 && make_machine b 2 && ./machine-a ./machine-b true
}

# across COMMAND...: three ranks on each machine.
across() {
    ./machine-a mpirun --host aimss-a:3,aimss-b:3 --map-by slot --oversubscribe --bind-to none \
        --mca plm_rsh_agent "$PWD/agent" --mca plm rsh --mca pml ob1 --mca btl self,vader,tcp \
        --mca osc ^ucx --mca oob_tcp_if_include 10.213.77.0/24 \
        --mca btl_tcp_if_include 10.213.77.0/24 "$@"
}
