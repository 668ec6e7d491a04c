"""The media engine: everything that touches FFmpeg, through PyAV. One module a noun; only steps call it.

sniffing, truncation    what the bytes say before a demuxer sees them
opening                 the one way to open an input: whitelists, limits, time-outs
failures                the one place that maps FFmpeg's errors to failure codes
geometry, colour        how a picture is meant to be shown
facts, packets          reading the facts for a probe
reading                 frames of one stream, from a time on, in presentation order
selection, timeline     which frames are kept, and where they land on the result's clock
picture, watermark      the filter graph
sound                   the result's audio: copied, or cut and encoded
result                  the mp4 that is written
rendering, remuxing     the two ways to edit: one decode and one encode, or packets as they are
smart_cut               the third: packets in the middle, encoded pictures at the borders of a cut
nal, picture_form       what an H.264 stream is made of, and what its header says of the pictures
parameter_sets          that header, for two encoders' pictures
shots, packet_source    packets that may be copied, and the groups that they form
cut_list, boundary      which packets and which pictures make a cut; the encoder at its borders
track                   both of them in one order of decoding
cut_survey              what a probe finds out about all that
ahead                   an iterator run in a thread of its own
renditions, hls         the files of an HLS package while they are written; what completes it
fragments, segments     what lies where in them, and as what a playlist names it
codec_names, playlists  what players are told
display                 the frame that is on display at a time, or a key frame near it
poster, storyboard, preview, still      pictures of a video, moving or not; a single frame as an image
sample                  a clip to try things with
"""
