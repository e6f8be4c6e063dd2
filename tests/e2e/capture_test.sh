#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# relayctl capture: one of two allocations, all of its frames and nothing of the other's.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_LAB_DIR/control.sock"

# stream_start NAME PORT
stream_start()
{
	"$E2E_STREAM" run --server "$TP_RELAY4:3478" --user demo \
		--password-file "$TP_LAB_DIR/demo.password" --peer "$TP_B4:$2" \
		--peer-netns "$TP_NS_B" --netns "$TP_NS_A" --rate 200 --size 160 --seconds 600 \
		> "$E2E_TMP/$1.json" 2>&1 9>&- &
	e2e_pid=$!
}

# read_capture NAME: NAME.pcapng to NAME.json
read_capture()
{
	python3 "$E2E_TOP/tests/e2e/pcapng.py" "$E2E_TMP/$1.pcapng" > "$E2E_TMP/$1.json"
}

# capture_grows NAME: waits until it has hundreds of frames.
capture_grows()
{
	e2e_wait 120 eval "[ \$(stat -c %s '$E2E_TMP/$1.pcapng' 2>/dev/null || echo 0) -gt 100000 ]"
}

two_live()
{
	[ "$($ctl -t allocation list | grep -c "$TP_A4")" = 2 ]
}

stream_start first 5000
first=$e2e_pid
stream_start second 5002
second=$e2e_pid
e2e_wait 120 two_live || echo "no allocations yet"
$ctl -j allocation list > "$E2E_TMP/list.json"
id=$(e2e_json "$E2E_TMP/list.json" 'r[0]["id"]')
client=$(e2e_json "$E2E_TMP/list.json" 'r[0]["client"]')
relayed=$(e2e_json "$E2E_TMP/list.json" 'r[0]["relayed"][0]')

e2e_check "captures by id" \
	$ctl capture "$id" -w "$E2E_TMP/one.pcapng" -n 801 2> "$E2E_TMP/one.err"
e2e_check "a valid pcapng file" read_capture one
e2e_check "and the log tells who did" grep -q \
	"operator_command command=capture uid=0 pid=[1-9][0-9]* allocation=$id" "$TP_LAB_DIR/control.log"
e2e_check "that only its owner reads" [ "$(stat -c %a "$E2E_TMP/one.pcapng")" = 600 ]
e2e_holds "$E2E_TMP/one.json" "as many frames as asked for, none missed" \
	'len(r["packets"]) == 801 and sum(s["received"] for s in r["statistics"]) == 801
		and all(s["dropped"] == 0 for s in r["statistics"])'
e2e_holds "$E2E_TMP/one.json" "nothing of the other allocation" \
	"all('$client' in (p['from'], p['to']) or '$relayed' in (p['from'], p['to'])
		for p in r['packets'])"
e2e_holds "$E2E_TMP/one.json" "both directions, as received and as sent" \
	"{(p['direction'], p['from'] == '$client', p['to'] == '$client') for p in r['packets']} ==
		{('in', True, False), ('out', False, False), ('in', False, False), ('out', False, True)}"
# Each side's packets in pairs: the media of 160 octets, with the channel's header and without.
e2e_holds "$E2E_TMP/one.json" "with their sizes" \
	"{(p['len'] - 42, '$client' in (p['from'], p['to'])) for p in r['packets']
		if p['first'] == '4000' or '$client' not in (p['from'], p['to'])} == {(164, True), (160, False)}"
e2e_holds "$E2E_TMP/one.json" "at the time of day, in nanoseconds" \
	'all(i["tsresol"] == 9 and i["name"] for i in r["interfaces"]) and
		all(0 <= __import__("time").time() - p["time"] / 1e9 < 60 for p in r["packets"])'
e2e_holds "$E2E_TMP/one.json" "made by this version" \
	'r["section"]["application"].startswith("turnpike ")'
if command -v tcpdump >/dev/null; then
	e2e_check "tcpdump reads it" \
		[ "$(tcpdump -nr "$E2E_TMP/one.pcapng" 2>/dev/null | wc -l)" = 801 ]
fi

$ctl capture "$relayed" -c 20 --snaplen 60 2> "$E2E_TMP/cut.err" > "$E2E_TMP/cut.pcapng"
read_capture cut
e2e_holds "$E2E_TMP/cut.json" "by relayed address, to a pipe, cut at 60 octets" \
	"len(r['packets']) == 20 and all(p['taken'] == 60 < p['len'] and
		('$client' in (p['from'], p['to']) or '$relayed' in (p['from'], p['to']))
		for p in r['packets'])"
$ctl capture "$client" --seconds 1 -w "$E2E_TMP/short.pcapng" 2> "$E2E_TMP/short.err"
read_capture short
e2e_holds "$E2E_TMP/short.json" "by the client's address, for a second" \
	"r['packets'] and all('$client' in (p['from'], p['to']) or
		'$relayed' in (p['from'], p['to']) for p in r['packets'])"

# Ctrl-C, a second capture meanwhile, and a reader that is killed.
$ctl capture "$id" -w "$E2E_TMP/ended.pcapng" 2> "$E2E_TMP/ended.err" 9>&- &
reader=$!
capture_grows ended
echo kept > "$E2E_TMP/busy.pcapng"
$ctl capture "$id" -w "$E2E_TMP/busy.pcapng" 2> "$E2E_TMP/busy.err"
e2e_check "one at a time" [ $? = 1 ]
e2e_check "a file is left alone when the capture is refused" grep -qx kept "$E2E_TMP/busy.pcapng"
e2e_check "and it says so" grep -q "another capture is running" "$E2E_TMP/busy.err"
kill -INT "$reader"
wait "$reader"
e2e_check "an interrupt ends it well" [ $? = 0 ]
e2e_check "with a valid file" read_capture ended
e2e_holds "$E2E_TMP/ended.json" "that has what came so far" 'len(r["packets"]) > 300 and len(r["statistics"]) == 1'
$ctl capture "$id" -w "$E2E_TMP/killed.pcapng" 2>/dev/null 9>&- &
reader=$!
e2e_wait 120 test -s "$E2E_TMP/killed.pcapng"
kill -KILL "$reader"
wait "$reader" 2>/dev/null
e2e_check "a killed reader ends it: the next one may begin" \
	e2e_wait 120 $ctl capture "$id" -n 4 -w "$E2E_TMP/next.pcapng" 2> "$E2E_TMP/next.err"
e2e_check "an unknown allocation is refused" \
	e2e_not $ctl capture 123456 -w "$E2E_TMP/none.pcapng" 2> "$E2E_TMP/none.err"
e2e_check "and makes no file" e2e_not test -e "$E2E_TMP/none.pcapng"
e2e_check "nor can a file be where there is no folder" \
	e2e_not $ctl capture "$id" -w "$E2E_TMP/none/x.pcapng" 2> "$E2E_TMP/folder.err"
e2e_check "and it says so" grep -q "none/x.pcapng: No such file" "$E2E_TMP/folder.err"

e2e_check "no terminal gets a capture" \
	bash -c "script -qec '$ctl capture $id -n 1' /dev/null < /dev/null | grep -q 'not for the terminal'"

kill -INT "$first" "$second"
wait "$first" "$second"
for name in first second; do
	e2e_holds "$E2E_TMP/$name.json" "the $name stream lost nothing" \
		'r["up"]["lost"] == 0 and r["down"]["lost"] == 0'
done

# The data plane dies under a capture, and an allocation ends under one.
stream_start third 5004
third=$e2e_pid
third_live()
{
	$ctl -j allocation list > "$E2E_TMP/list.json" && [ "$(e2e_json "$E2E_TMP/list.json" 'len(r)')" -gt 0 ]
}
e2e_wait 120 third_live || echo "no third allocation"
id=$(e2e_json "$E2E_TMP/list.json" 'r[-1]["id"]')
$ctl capture "$id" -w "$E2E_TMP/over.pcapng" 2> "$E2E_TMP/over.err" 9>&- &
reader=$!
e2e_wait 120 test -s "$E2E_TMP/over.pcapng"
$ctl allocation kill "$id" > /dev/null
wait "$reader"
e2e_check "a capture ends with its allocation" grep -q "the allocation has ended" "$E2E_TMP/over.err"
kill "$third" 2>/dev/null
wait "$third" 2>/dev/null
stream_start fourth 5006
fourth=$e2e_pid
e2e_wait 120 third_live || echo "no fourth allocation"
id=$(e2e_json "$E2E_TMP/list.json" 'r[-1]["id"]')
$ctl capture "$id" -w "$E2E_TMP/died.pcapng" 2> "$E2E_TMP/died.err" 9>&- &
reader=$!
e2e_wait 120 test -s "$E2E_TMP/died.pcapng"
kill -KILL "$(e2e_pid_of dataplane)"
wait "$reader"
e2e_check "a data plane that dies is told" [ $? = 3 ]
e2e_check "with a message" grep -q "turnpike-dataplane went away" "$E2E_TMP/died.err"
e2e_check "and a valid file" read_capture died
kill "$fourth" 2>/dev/null
wait "$fourth" 2>/dev/null
