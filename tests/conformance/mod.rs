//! The behaviour that every implementation of the engine must have. There is one file per kind of
//! object and one function per case.
//!
//! A case gets a [`Case`] (engine, image, unique names) and panics if the engine behaves
//! differently. It waits only for the engine's responses, so it also works in virtual time. In
//! containers it runs only [`commands`], because the simulated engine knows no others.
//!
//! [`for_each_case`] lists all cases. [`for_each_shell_case`] lists those that need a real shell.

pub mod builds;
pub mod case;
pub mod commands;
pub mod containers;
pub mod events;
pub mod exec;
pub mod files;
pub mod images;
pub mod logs;
pub mod networks;
pub mod shell;
pub mod usage;
pub mod volumes;

pub use case::{Case, Fixture};

/// Calls `$with!` with the cases that every engine must pass, as `module: [case, …], …`.
macro_rules! for_each_case {
    ($with:ident) => {
        $with! {
            containers: [
                a_container_is_created_started_and_stopped,
                a_container_of_a_missing_image_is_not_created,
                creating_a_container_with_a_used_name_is_a_conflict,
                a_container_is_renamed_unless_the_name_is_in_use,
                the_restart_policy_of_a_running_or_stopped_container_can_change,
                every_call_reports_an_unknown_container_as_not_found,
                an_invalid_container_name_is_not_found,
                waiting_for_a_container_returns_its_exit_code,
                a_killed_container_exits_with_128_plus_the_signal,
                a_container_that_ignores_sigterm_is_killed_after_its_grace_period,
                a_restarted_container_runs_again,
                removing_a_running_container_needs_force,
                anonymous_volumes_are_removed_with_their_container_on_request,
                the_container_list_contains_state_and_exit_code,
                creating_a_container_with_invalid_values_fails,
                a_container_with_a_missing_command_fails_to_start,
                a_container_with_an_allocated_host_port_fails_to_start,
                a_published_port_is_allocated_only_on_its_host_address,
                a_stopped_container_releases_its_host_port,
                a_container_with_a_health_check_starts_with_health_starting,
                a_failing_container_restarts_up_to_its_maximum_retry_count,
                a_container_is_found_by_a_prefix_of_its_id,
                an_auto_remove_container_is_gone_after_it_exits,
            ],
            logs: [
                a_log_separates_stdout_and_stderr,
                a_log_request_can_limit_the_tail,
                following_a_log_ends_when_the_container_exits,
                a_log_line_can_start_with_a_timestamp,
                the_log_of_a_container_with_a_terminal_is_raw,
                each_log_message_is_one_chunk,
                the_parts_of_a_long_log_line_share_a_timestamp,
                since_and_until_are_exact_to_the_nanosecond,
                a_log_applies_tail_before_until,
                a_log_continues_when_the_container_starts_again,
                following_a_log_ends_when_the_container_restarts,
                reading_a_log_of_a_driver_that_stores_none_is_unsupported,
            ],
            files: [
                a_file_is_copied_to_a_container_and_back,
                a_path_that_does_not_exist_is_not_found,
                a_read_only_container_rejects_uploads,
            ],
            exec: [
                exec_output_is_complete_and_the_exit_code_known_when_it_ends,
                an_exec_uses_the_requested_environment_user_and_directory,
                exec_input_reaches_the_process_until_it_is_closed,
                an_exec_that_ignores_its_input_still_ends,
                an_exec_with_a_terminal_has_one_raw_output,
                a_command_that_does_not_exist_ends_with_126_or_127,
                an_exec_in_a_stopped_container_is_a_conflict,
                an_unknown_exec_is_not_found,
                dropping_an_exec_session_does_not_end_the_process,
                a_process_is_found_by_its_mark_and_terminated,
                a_process_of_another_user_is_not_signalled,
                a_process_is_found_by_user_name_or_user_id,
                a_process_that_ignores_term_is_killed,
            ],
            images: [
                an_imported_image_has_the_requested_changes,
                container_labels_override_labels_of_the_image,
                a_tag_adds_a_name_to_the_same_image,
                an_image_is_found_by_every_spelling_of_its_name,
                removing_an_image_in_use_needs_force,
                an_unknown_image_is_not_found,
                pull_push_and_digest_fail_if_the_registry_is_unreachable,
            ],
            builds: [
                a_build_tags_its_image_with_every_tag,
                repeating_a_build_gives_the_same_image,
                a_build_with_a_missing_dockerfile_or_target_fails,
                a_tag_moves_to_the_image_that_was_built_last,
                build_labels_override_labels_of_the_dockerfile_and_the_base_image,
                a_build_step_fails_without_a_required_secret,
                a_build_with_an_invalid_mount_fails,
                an_unused_build_secret_does_not_change_the_image,
            ],
            networks: [
                a_network_is_created_listed_and_removed,
                an_endpoint_has_its_address_and_aliases,
                a_network_in_use_is_not_removed,
                creating_a_network_with_a_used_subnet_is_a_conflict,
                a_container_with_a_used_address_fails_to_start,
                a_container_with_a_reserved_address_fails_to_start,
                a_stopped_container_can_move_to_a_recreated_network,
                an_unknown_network_is_not_found,
                a_container_with_a_removed_network_fails_to_start,
                an_address_outside_the_subnet_is_rejected,
            ],
            usage: [
                one_reading_of_stats_contains_memory_and_cpu_usage,
                following_stats_continues_until_the_container_is_removed,
                stats_of_a_stopped_container_are_empty,
                disk_usage_counts_images_containers_and_volumes,
            ],
            volumes: [
                a_volume_is_created_once_listed_and_removed,
                a_volume_in_use_is_not_removed,
                removing_an_unknown_volume_fails_unless_forced,
                a_bind_volume_keeps_its_device_and_needs_it_when_a_container_starts,
                invalid_volume_options_are_rejected,
                a_mount_creates_a_volume_with_its_options,
                lists_contain_volume_options_and_container_mounts,
            ],
            events: [
                the_engine_reports_its_version_and_time,
                an_event_subscription_starts_exactly_when_its_call_returns,
                a_subscription_since_a_time_includes_past_events,
                events_are_filtered_by_type_and_action,
                the_end_of_an_exec_and_of_a_container_is_an_event,
                container_events_arrive_in_order,
            ],
        }
    };
}

/// Calls `$with!` with the cases that the simulated engine can't run, because they need a real
/// shell.
macro_rules! for_each_shell_case {
    ($with:ident) => {
        $with! {
            shell: [
                large_output_is_complete,
                binary_output_of_a_terminal_is_untouched,
                a_build_reports_its_steps_and_their_output,
                a_repeated_build_uses_the_cache,
                a_failed_build_step_is_reported_with_exit_code_and_output,
                an_invalid_dockerfile_is_reported,
                a_missing_base_image_is_reported,
                an_unreadable_build_context_fails_the_build,
                a_health_check_result_is_an_event,
                container_names_resolve_on_a_network,
                a_build_step_reads_its_secret_and_the_image_does_not_contain_it,
            ],
        }
    };
}

pub(crate) use {for_each_case, for_each_shell_case};
