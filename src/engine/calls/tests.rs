use super::*;

#[test]
fn every_call_is_found_by_its_name() {
    for method in Method::ALL {
        assert_eq!(Method::of(method.name()), Some(*method));
        assert_eq!(method.to_string(), method.name());
    }
    assert_eq!(Method::of("container_startle"), None);
}

#[test]
fn stopping_and_removing_frees_disk_space_and_creating_and_starting_needs_it() {
    let of = |space: DiskSpaceNeed| -> Vec<&str> {
        let all = Method::ALL.iter().filter(|method| method.declaration().space == space);
        all.map(|method| method.name()).collect()
    };
    assert_eq!(
        of(DiskSpaceNeed::Freed),
        ["container_stop", "container_kill", "container_remove", "network_remove", "volume_remove"]
    );
    assert_eq!(
        of(DiskSpaceNeed::Needed),
        [
            "container_create",
            "container_start",
            "container_restart",
            "container_rename",
            "container_update",
            "container_upload",
            "image_pull",
            "image_build",
            "image_import",
            "image_tag",
            "image_remove",
            "network_connect",
            "network_disconnect",
        ]
    );
}

#[test]
fn only_waits_and_what_reports_have_no_limit() {
    let unlimited: Vec<&str> = Method::ALL
        .iter()
        .filter(|method| method.declaration().limit == Limit::Unlimited)
        .map(|method| method.name())
        .collect();
    assert_eq!(unlimited, ["container_wait", "image_pull", "image_push", "image_build"]);
}

#[test]
fn pieces_keep_what_may_deliver_a_secret_apart_from_text() {
    let body = models::ContainerCreateBody {
        env: Some(vec!["TOKEN=abc".to_owned()]),
        cmd: Some(vec!["serve \"x\"".to_owned()]),
        ..models::ContainerCreateBody::default()
    };
    let call = Call::ContainerCreate { name: "shop-web-1", platform: Some("linux/arm64"), body };
    let (text, mut delivered) = (call.text(), Vec::new());
    call.pieces(&mut |piece| {
        if let Piece::Delivery(bytes) = piece {
            delivered.push(bytes.to_vec());
        }
    });
    for sent in ["shop-web-1\n", "linux/arm64\n", "Cmd\n", "serve \"x\"\n"] {
        assert!(text.contains(sent), "{sent:?} in {text}");
    }
    assert!(!text.contains("TOKEN"), "{text}");
    assert_eq!(delivered, [b"TOKEN=abc".to_vec()]);
}
