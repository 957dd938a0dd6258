# Edits a copy of scripts/stack.rhai like compose-start-interval.sed, for the services with a described health check.
s/interval: "[0-9]+s",/& start_interval: "1s",/
s/retries: 5 \}/retries: 5, start_period: "40s" }/
