# Over the copy of docker-compose.yml: the engine probes every second while a container starts. It heeds start_interval only
# within a start_period, so the services without one get the backend's. The frontend's check is its image's.
s/^( *)interval: .*/&\n\1start_interval: 1s/
s/^( *)(retries: 5|test: curl -f http:\/\/127\.0\.0\.1\/)$/&\n\1start_period: 40s/
s/^( *)depends_on: \[backend\]$/&\n\1healthcheck: { start_interval: 1s, start_period: 40s }/
