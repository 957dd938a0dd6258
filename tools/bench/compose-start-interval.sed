# Edits the copy of docker-compose.yml: the engine probes every second while a container starts. The engine uses start_interval only
# within a start_period, so services without one get the backend's. The frontend's health check is in its image.
s/^( *)interval: .*/&\n\1start_interval: 1s/
s/^( *)(retries: 5|test: curl -f http:\/\/127\.0\.0\.1\/)$/&\n\1start_period: 40s/
s/^( *)depends_on: \[backend\]$/&\n\1healthcheck: { start_interval: 1s, start_period: 40s }/
