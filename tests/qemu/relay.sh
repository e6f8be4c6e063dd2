# SPDX-License-Identifier: BSD-3-Clause
# Sourced by qemu_test.sh: the relay in the emulated machine, and the streams that judge it. Verdicts
# are counts, answers and lines of the log; nothing here depends on the machine's speed.
relay4=10.99.0.1 relay6=fd99::1
log=/run/dataplane.log
# Turns of 0.2 s or longer. Each wait is for an event, and ends before if that can't come any more.
waits=6000
# Faults of the machine that stood still, not of the relay, so far.
machine_stalls=0

# Of e2e_stream_open.
E2E_STREAM_SERVER=$relay4 TP_NS_A=$qemu_name-a TP_NS_B=$qemu_name-b TP_PASSWORD_FILE=

card()
{
	echo "0000:00:1$1.0"
}

# interface_of N: the kernel's name of card N.
interface_of()
{
	guest "ls -d /sys/bus/pci/devices/$(card "$1")/{net,virtio*/net}/* 2>/dev/null" | sed 's,.*/,,'
}

bind_vfio()
{
	guest "d=/sys/bus/pci/devices/$1; echo vfio-pci > \$d/driver_override
		[ ! -e \$d/driver ] || echo $1 > \$d/driver/unbind
		echo $1 > /sys/bus/pci/drivers_probe; readlink \$d/driver | grep -q vfio-pci"
}

# addresses INTERFACE: the relay's, and the interface up.
addresses()
{
	echo "ip addr add $relay4/24 dev $1; ip addr add $relay6/64 dev $1 nodad; ip link set $1 up"
}

twin_up()
{
	guest "ip link del tp0 2> /dev/null; ip tuntap add dev tp0 mode tap; $(addresses tp0)"
}

# config PORT [DATAPLANE-KEYS [MORE]]
config()
{
	guest "umask 077; mkdir -p /run/t; cd /run/t; echo demo-password > password; cat > t.yaml <<-END
	realm: qemu.example
	dataplane: {ports: [$1]${2:+, $2}}
	listeners: [{address: $relay4}, {address: \"$relay6\"}]
	relay: {ports: 50000-50999}
	users: [{name: demo, password_file: password}]
	peers: {allow: [10.99.0.0/24, \"fd99::/64\"]}
	${3:-}
	END"
	TP_PASSWORD_FILE=$E2E_TMP/password
	echo demo-password > "$TP_PASSWORD_FILE"
}

# launch PROCESS [PREFIX...]: in the background of the machine.
launch()
{
	guest "cd /run/t; ${*:2} $bin/$1/turnpike-$1 --allow-root --config t.yaml > /run/$1.log 2>&1 &
		echo \$! > $1.pid"
}

# until_logged PROCESS EVENT: its log has the line; false if the process ends before.
until_logged()
{
	guest "cd /run/t; for i in \$(seq $waits); do
			! grep -q '$2' /run/$1.log || exit 0
			[ -d /proc/\$(cat $1.pid) ] || exit 1
			sleep 0.2
		done; exit 1"
}

# A link that was never lost has no line.
link_is_up()
{
	guest "for i in \$(seq $waits); do
			grep port_link $log | tail -n 1 | grep -q up=false || exit 0
			sleep 0.2
		done; exit 1"
}

# start: both processes; true once packets are forwarded and the link is up. An emulated card passes
# packets before it says for its first second that it has no link: the kernel would forget neighbours
# in the midst of a stream.
start()
{
	launch dataplane && launch control "${control_prefix:-}" && until_logged control process_started &&
		until_logged dataplane segment_attached && guest "sleep 3" && link_is_up
}

# stop: SIGTERM to both; true if each ended with nothing left behind.
stop()
{
	guest "cd /run/t; for p in control dataplane; do
			pid=\$(cat \$p.pid); kill \$pid
			for i in \$(seq $waits); do [ ! -d /proc/\$pid ] || sleep 0.2; done
			! kill -9 \$pid 2> /dev/null || echo \$p did not end
		done
		left=\$(nft list tables; ls -A /dev/hugepages; ls -A /dev/shm)
		[ -z \"\$left\" ] && grep -q process_stopped $log && exit
		echo \"left: \$left\"; tail -n 5 $log /run/control.log; exit 1"
}

# kill_9 PROCESS...: all at once; true once they are gone.
kill_9()
{
	guest "cd /run/t; pids=\$(cat ${*/%/.pid}); kill -9 \$pids
		for i in \$(seq $waits); do kill -0 \$pids 2> /dev/null || exit 0; sleep 0.2; done; exit 1"
}

# killed PROCESS EVENT: kill -9, and a new start until its log has the line.
killed()
{
	kill_9 "$1" && launch "$1" && until_logged "$1" "$2"
}

both_killed()
{
	kill_9 dataplane control && start
}

# refused PATTERN...: the data plane, behind $prefix, ends by itself, and its log has all of these.
refused()
{
	local pattern

	guest "cd /run/t; ${prefix:-} timeout 1800 $bin/dataplane/turnpike-dataplane --allow-root \
		--config t.yaml > $log 2>&1; [ \$? = 1 ]" || { guest "cat $log"; return 1; }
	for pattern; do
		logged "$pattern" || { guest "cat $log"; return 1; }
	done
}

logged()
{
	guest "grep -q '$1' $log"
}

# The relay comes back with another MAC address.
neighbours_forget()
{
	local side

	for side in a b; do
		ip -n "$qemu_name-$side" neigh flush all
		ip -n "$qemu_name-$side" -6 neigh flush all
	done
}

# Whether the machine's kernel has found a device or a CPU of it standing still since the last
# question: other programs took this machine's cores, and packets were lost before the relay saw them.
stood_still()
{
	local n

	n=$(guest "dmesg | grep -cE 'NETDEV WATCHDOG|Unit Hang|timed out|self-detected stall|soft lockup'")
	[ "${n:-0}" -gt "$machine_stalls" ] || return 1
	machine_stalls=$n
}

# stream NAME OPTION...: packets of both directions; nearly all of them must arrive, none changed. One
# that sent too few, since the answer to its first packet came late, is repeated.
stream()
{
	local try

	for try in 1 2 3 4 5; do
		"$E2E_STREAM" run --user demo --password-file "$TP_PASSWORD_FILE" --netns "$TP_NS_A" \
			--peer-netns "$TP_NS_B" --rate 25 --seconds 6 --drain-ms 20000 "${@:2}" \
			> "$E2E_TMP/stream.json" 2> "$E2E_TMP/stream.err" || cat "$E2E_TMP/stream.err"
		if [ "$(e2e_json "$E2E_TMP/stream.json" \
			"all(r[d]['sent'] > 100 for d in ('up', 'down'))" 2> /dev/null)" = true ]; then
			[ "$(e2e_json "$E2E_TMP/stream.json" "$nearly_all")" != true ] && stood_still || break
		fi
		echo "$1, try $try: the machine was too slow"
	done
	e2e_holds "$E2E_TMP/stream.json" "$1" \
		"all(r[d]['sent'] > 100 and r[d]['corrupt'] == 0 for d in ('up', 'down')) and $nearly_all"
}
nearly_all="all(r[d]['received'] > 0.9 * r[d]['sent'] for d in ('up', 'down'))"

# calls_open: three calls, until e2e_stream_close.
calls_open()
{
	e2e_stream_open "$E2E_TMP/calls" --streams 3 --rate 10 --peer 10.99.0.13 --seconds 20000
}

# works NAME: as e2e_stream_works. A client gives a request up after 39.5 s, and asks again; a refusal
# stands.
works()
{
	local try

	for try in 1 2 3 4 5 6; do
		e2e_stream_ask "check 120"
		echo "$e2e_answer" > "$e2e_report.check"
		[ "$(e2e_json "$e2e_report.check" \
			"r['refused'] == 0 and r['unanswered'] + sum(r['silent']) > 0" 2> /dev/null)" = true ] ||
			break
	done
	e2e_holds "$e2e_report.check" "$1" \
		"r['succeeded'] > 0 and r['refused'] == r['unanswered'] == sum(r['silent']) == 0"
}

# streams NAME: each way through the relay.
streams()
{
	stream "$1: channels" --server $relay4 --peer 10.99.0.13:3490
	stream "$1: indications, large" --server $relay4 --peer 10.99.0.13:3490 --data send --size 1300
	stream "$1: two clients of the relay" --server $relay4 --peer-relay --bind 10.99.0.11 \
		--peer-bind 10.99.0.13
	stream "$1: IPv6" --server $relay6 --peer "[fd99::13]:3490" --family 6
	stream "$1: IPv4 client, IPv6 peer" --server $relay4 --peer "[fd99::13]:3490" --family 6
}

# The relay alone has these addresses' UDP; its kernel keeps the rest.
kernel_answers()
{
	e2e_wait 900 qemu_in a ping -c 1 -W 20 -q "$1" > /dev/null &&
		e2e_wait 900 qemu_in b ping -c 1 -W 20 -q "$1" > /dev/null
}

# served NAME: start, kernel, streams. False: it does not forward.
served()
{
	neighbours_forget
	if ! start; then
		e2e_not_ok "$1: forwards"
		guest "cat $log /run/control.log"
		stop
		return 1
	fi
	e2e_ok "$1: forwards"
	e2e_check "$1: the kernel answers pings beside it" kernel_answers $relay4
	e2e_check "$1: and over IPv6" kernel_answers $relay6
	streams "$1"
}

left()
{
	e2e_check "$1: SIGTERM leaves nothing" stop
}

# endured NAME N: calls outlive both processes' kills, and the link of card N off and on.
endured()
{
	calls_open
	works "$1: three calls"
	e2e_check "$1: control is killed and starts again" killed control process_started
	works "$1: the calls go on"
	e2e_check "$1: the data plane is killed and starts again" killed dataplane segment_attached
	works "$1: the calls go on"
	e2e_check "$1: both are killed and start again" both_killed
	works "$1: the calls go on"
	qemu_monitor set_link "card$2" off
	e2e_check "$1: a lost link is reported" until_logged dataplane "port_link.*up=false"
	qemu_monitor set_link "card$2" on
	e2e_check "$1: and its return" link_is_up
	works "$1: the calls go on"
	e2e_check "$1: the stream ends" e2e_stream_close
	e2e_holds "$E2E_TMP/calls" "$1: nothing was changed" \
		"all(r[d]['received'] > 0 and r[d]['corrupt'] == 0 for d in ('up', 'down'))"
}
