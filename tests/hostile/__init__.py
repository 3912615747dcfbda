"""What hostile inputs there are, and which test sends each of them in.

The rows are those of the hostile-input matrix; rows 20 and 21 are about packet filters and groups, which do not exist
here yet.  `test_table.py` sees that every row has tests and that they exist; a `*` stands for the rest of a name.

 1  floods of inductions from made-up sources: no state, bounded answers
      hostile/test_handshakes.py  test_row_01_*
      internal/handshake/test_listener.py  test_hostile_row_1_*
 2  floods of conclusions with good cookies: bounded by host, in all, and in threads
      hostile/test_handshakes.py  test_row_02_*
      internal/handshake/test_listener.py  test_hostile_row_2_*
 3  spoofed sources, replayed cookies, other ports: silence
      hostile/test_handshakes.py  test_row_03_*
      hostile/test_encryption.py  test_row_03_*
      internal/handshake/test_listener.py  test_hostile_row_3_*
 4  repeated and late conclusions on a live connection: the same answer, nothing else
      hostile/test_handshakes.py  test_row_04_*
      internal/handshake/test_listener.py  test_hostile_row_4_*
 5  versions, types, flags and blocks that contradict each other or do not fit
      hostile/test_handshakes.py  test_row_05_*  test_rows_05_and_06_*
      internal/handshake/test_listener.py  test_hostile_rows_5_and_6_*
 6  MSS, windows, sequence numbers, latencies and versions at the edge
      hostile/test_handshakes.py  test_row_06_*  test_rows_05_and_06_*
      internal/handshake/test_listener.py  test_hostile_rows_5_and_6_*
      internal/handshake/test_negotiation.py  test_hostile_row_6_*
 7  stream ids: too long, no UTF-8, escape sequences, forged log lines
      hostile/test_handshakes.py  test_row_07_*
      internal/handshake/test_listener.py  test_hostile_row_7_*
      internal/handshake/test_offer.py  test_hostile_row_7_*
      internal/session/test_judging.py  test_what_a_caller_makes_a_callback_quote_stays_in_its_line
      test_statswriter.py  test_prometheus_survives_any_stream_id
 8  key material: of every length, inconsistent, in another mode, again and again, unasked for
      hostile/test_encryption.py  test_row_08_*  test_cve_2026_55868_*  test_cve_2026_55869_*
      stories/test_encryption.py  test_a_secured_direction_never_goes_back
 9  data under a key that is not there, in clear where there are keys, sealed where there are none
      hostile/test_encryption.py  test_row_09_*
      stories/test_encryption.py  test_packets_slipped_in_are_dropped_and_counted
10  data: sequence jumps, old numbers, duplicates, another payload under the same number
      hostile/test_packets.py  test_row_10_*
      stories/test_hostile_packets.py  test_a_stream_under_attack_arrives_whole
11  data: timestamps that jump, go back, begin again
      hostile/test_packets.py  test_row_11_*
      stories/test_hostile_packets.py  test_row_11_*
12  ACKs: of what was never sent, old, with mad numbers, rates and round trips
      hostile/test_packets.py  test_rows_12_to_18_*
      internal/core/test_connection.py  test_hostile_row_12_*
13  ACKACKs of what was never said
      hostile/test_packets.py  test_rows_12_to_18_*
      internal/core/test_connection.py  test_hostile_row_13_*
14  NAKs: reversed, dangling, ancient by the hundred, the whole window again and again
      hostile/test_packets.py  test_rows_12_to_18_*  test_row_14_*
      internal/core/test_connection.py  test_hostile_row_14_*
      stories/test_hostile_packets.py  test_row_14_*
15  drop requests: reversed, huge, ahead, for what is here
      hostile/test_packets.py  test_rows_12_to_18_*
      internal/core/test_connection.py  test_hostile_row_15_*
16  a SHUTDOWN from somebody else
      hostile/test_packets.py  test_row_16_*
      stories/test_hostile_packets.py  test_row_16_*
17  PEERERROR
      hostile/test_packets.py  test_row_17_*
      internal/core/test_connection.py  test_hostile_row_17_*
18  floods of keepalives, unknown and user-defined control types, before and after there is a connection
      hostile/test_packets.py  test_row_18_*  test_rows_12_to_18_*
      internal/core/test_connection.py  test_hostile_row_18_*
19  every length from nothing to 65,507 bytes, data without payload, ICMP errors
      hostile/test_packets.py  test_row_19_*
      internal/core/test_connection.py  test_hostile_row_19_*
      internal/mux/test_joining.py  test_what_is_too_long_*  test_what_is_too_short_*
22  peers that never acknowledge, or never read
      hostile/test_peers.py  test_row_22_*
      stories/test_slow_reader.py  test_patient_ends_lose_nothing_while_the_reader_sleeps
23  a publisher that connects and sends no data
      hostile/test_peers.py  test_row_23_*
      internal/core/test_liveness.py  *data*
24  guessed socket ids
      hostile/test_peers.py  test_row_24_*
25  ten thousand connections that come and go
      hostile/test_peers.py  test_row_25_*
      threads/test_cycles.py  test_a_thousand_connections_leak_nothing
26  clocks that are set, machines that are suspended, an hour of standing still
      hostile/test_peers.py  test_row_26_*
      stories/test_frozen.py  test_*
27  callbacks that raise, block, call back
      hostile/test_peers.py  test_row_27_*
      test_callbacks.py  test_a_callback_that_raises_is_logged_and_called_again

Vulnerabilities and mistakes known from others, by their number (srt-pr, srt-issue: libsrt's), and the tests named after
them or after what was wrong:

CVE-2026-55869  key material after connecting, longer than any buffer for it
      hostile/test_encryption.py  test_cve_2026_55869_*
      stories/test_encryption.py  test_cve_2026_55869_*
CVE-2026-55868  an answer to no announcement takes the security away
      hostile/test_encryption.py  test_cve_2026_55868_*
      stories/test_encryption.py  test_cve_2026_55868_*
srt-pr-3320  a drop request shorter than its range
      hostile/test_known.py  test_srt_pr_3320_*
srt-pr-3324  a loss report that ends within a range
      hostile/test_known.py  test_srt_pr_3324_*
srt-pr-3322  a drop range beyond the buffer erases what is alive
      hostile/test_known.py  test_srt_pr_3322_*
srt-pr-3359  reversed ranges, an MSS smaller than its headers, a late handshake that rolls the state back
      hostile/test_known.py  test_srt_pr_3359_*
      hostile/test_handshakes.py  test_row_04_*
srt-pr-3272  a group block longer than any array
      hostile/test_known.py  test_srt_pr_3272_*
srt-pr-3210  settings that are too long
      hostile/test_known.py  test_srt_pr_3210_*
srt-pr-1781  handshakes that cannot be true
      hostile/test_handshakes.py  test_rows_05_and_06_*
srt-607fe718  acknowledgements of what was never sent
      hostile/test_packets.py  test_rows_12_to_18_*
      internal/core/test_connection.py  test_hostile_row_12_*
srt-0236d6fd  packets in clear on a secured connection
      hostile/test_encryption.py  test_cleartext_on_a_secured_stream_*  test_row_09_*
srt-issue-1979  a passphrase on one side only
      hostile/test_encryption.py  test_libsrt_issue_1979_*
srt-issue-1977  the old handshake, which knows no keys
      internal/handshake/test_listener.py  test_old_callers_get_shutdown
      hostile/test_handshakes.py  test_rows_05_and_06_*
gosrt-pr-60  a conclusion, or an answer to one, without blocks
      hostile/test_known.py  test_gosrt_pr_60_*
      internal/handshake/test_caller.py  test_responses_we_cannot_live_with_*
gosrt-pr-77  packets from another source
      hostile/test_known.py  test_gosrt_pr_77_*
gosrt-pr-123  conclusions that come twice
      hostile/test_handshakes.py  test_row_04_*
srt-5138f37d  what a child process has of its parent's connections
      internal/session/test_registry.py  *fork*

All of it at once, for a minute: test_noise.py.  What no table thinks of: tests/fuzz.
"""
