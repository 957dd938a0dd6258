# Over scripts/stack.rhai: the same as start-interval.yml.
s/interval: "10s",/& start_interval: "1s", start_period: "40s",/
s/interval: "30s",/& start_interval: "1s",/
