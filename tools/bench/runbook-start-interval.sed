# Over a copy of scripts/stack.rhai: the same as compose-start-interval.sed, for the services that a check is described for.
s/interval: "[0-9]+s",/& start_interval: "1s",/
s/retries: 5 \}/retries: 5, start_period: "40s" }/
