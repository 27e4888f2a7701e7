"""`golive dev`: the whole of golive, nginx included, in the foreground on one data folder.

`command` is what the command line calls. It checks the machine (`prerequisites`), takes the
folder (`lock`, `layout`), works out what to start (`plan`, `nginx_config`), and leaves the rest
to `server`, which keeps three children up (`keeper`, `process`, `restarts`) and a live stream
to push to (`demo_stream`).
"""
