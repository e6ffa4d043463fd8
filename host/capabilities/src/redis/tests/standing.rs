//! As whom a source is entered, as the server says it.

use super::*;
use crate::Unentered;
use crate::redis::Entrant;

async fn entrant(url: &str) -> Result<Entrant, Unentered> {
    services(&source(url), Resolver::of_this_machine()).redis_entrant("cache").await
}

#[tokio::test]
async fn who_enters_is_told_from_the_first_user_of_a_server() {
    let open = RedisServer::start("");
    assert_eq!(entrant(&open.url()).await, Ok(Entrant::Anybody));
    let closed = RedisServer::start(
        "requirepass pass-word\nuser monitor on >monitor-secret ~* -@all +@read +@connection +command +info\n\
         user blind on >blind-secret ~* -@all +@connection -command",
    );
    let url = |user: &str| format!("redis://{user}@127.0.0.1:{}", closed.port());
    assert_eq!(entrant(&url(":pass-word")).await, Ok(Entrant::Default));
    assert_eq!(entrant(&url("monitor:monitor-secret")).await, Ok(Entrant::Named));
    for (user, message, hint) in [
        ("monitor:wrong-secret", "refused the source's user or password", "[sources.redis.cache]"),
        ("blind:blind-secret", "may not call `COMMAND`", "`+command`"),
    ] {
        let unentered = entrant(&url(user)).await.expect_err(user);
        assert!(unentered.message.contains(message) && unentered.hint.contains(hint), "{unentered:?}");
        assert!(!format!("{unentered:?}").contains("secret"), "{unentered:?}");
    }
    let nobody = entrant(&closed.url()).await.expect_err("it wants a password");
    assert!(nobody.message.contains("asks for a password"), "{nobody:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_with_the_fix() {
    let unentered = entrant(&format!("redis://127.0.0.1:{}", crate::process::free_port())).await.expect_err("nobody is there");
    assert!(unentered.message.contains("refused the connection") && unentered.hint.contains("does the server run"), "{unentered:?}");
}
