"""Against real peers: srt-live-transmit, ffmpeg, a C program on libsrt, tshark."""
