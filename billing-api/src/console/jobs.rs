//! What the pages of jobs and runs have besides their fields: running one now, how a run gets
//! on, what it said.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{JobId, RunId};
use serde_json::Value as Json;

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::page::{self, Notice, Viewer};
use super::words;
use super::{schedule, show, viewer};
use crate::domain::{Fault, Office};
use crate::entity::{Entity, read};
use crate::jobs::manage::{self, LineView};

/// Lines of a log that are shown.
const LINES: i64 = 500;

/// What belongs on the page of a job.
pub(super) async fn of_job(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let viewer = &signed.viewer;
    let schedule = of_schedule(office, signed, entity, id).await?;
    Ok(html! {
        @if viewer::holds(&signed.actor, "jobs.run") {
            div.actions {
                form method="post" action=(format!("/jobs/{id}/run")) {
                    (page::csrf(viewer))
                    button.quiet type="submit" { (viewer.words.say(words::JOB_RUN)) }
                }
            }
        }
        (schedule)
    })
}

/// What the schedule of a record means; nothing of one that is off.
pub(super) async fn of_schedule(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let (row, _) = read::find(office, &signed.actor, entity, entity.id(id)?).await?;
    if row["enabled"] != true {
        return Ok(html! {});
    }
    let text = |name: &str| row[name].as_str().unwrap_or("");
    Ok(schedule::meaning(&signed.viewer, office.now(), text("schedule"), text("zone")))
}

/// What belongs on the page of a run.
pub(super) async fn of_run(
    office: &Office,
    signed: &Signed,
    entity: &'static Entity,
    id: &str,
) -> Result<Markup, Fault> {
    let (row, _) = read::find(office, &signed.actor, entity, entity.id(id)?).await?;
    let lines = manage::list_lines(office, &signed.actor, run_id(id)?, 0, LINES).await?.rows;
    let may = viewer::holds(&signed.actor, "jobs.run");
    Ok(render(&signed.viewer, id, &row, &lines, may))
}

fn render(viewer: &Viewer, id: &str, row: &Json, lines: &[LineView], may: bool) -> Markup {
    let words = &viewer.words;
    let state = row["state"].as_str().unwrap_or("");
    let under_way = ["queued", "running"].contains(&state);
    let (done, total) = (row["progress_done"].as_i64(), row["progress_total"].as_i64());
    let button = |action: &str, name| {
        html! {
            form method="post" action=(format!("/job-runs/{id}/{action}")) {
                (page::csrf(viewer))
                button.quiet type="submit" { (words.say(name)) }
            }
        }
    };
    html! {
        // A run that is over does not change any more.
        div id="run" data-refresh[under_way] {
            @if let (Some(done), Some(total), true) = (done, total, under_way) {
                @let told = [("done", show::count(done).into()), ("total", show::count(total).into())];
                progress.progress max=(total.max(1)) value=(done) {}
                p.dim { (words.say_with(words::RUN_PROGRESS, &told)) }
            }
            @if may {
                div.actions {
                    @if under_way { (button("cancel", words::RUN_CANCEL)) }
                    @if ["failed", "partial", "cancelled"].contains(&state) {
                        (button("retry", words::RUN_RETRY))
                    }
                }
            }
            h2 { (words.say(words::RUN_LOG)) }
            @if lines.is_empty() {
                (page::empty(&words.say(words::RUN_NO_LOG), None))
            } @else {
                pre.log {
                    @for line in lines {
                        span.dim { (show::second(words, line.at)) } " " (line.line) "\n"
                    }
                }
            }
        }
    }
}

fn run_id(text: &str) -> Result<RunId, Fault> {
    text.parse().map_err(|_| Fault::NotFound("run"))
}

/// `POST /jobs/{id}/run`
pub(super) async fn run(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id: JobId = id.parse().map_err(|_| Fault::NotFound("job"))?;
        let made = manage::run_job(&office, &post.signed.actor, id).await?;
        Ok(page::go(&Notice::JobStarted.after(&format!("/job-runs/{}", RunId(made.id)))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /job-runs/{id}/cancel`
pub(super) async fn cancel(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id = run_id(&id)?;
        manage::cancel(&office, &post.signed.actor, id, None).await?;
        Ok(page::go(&Notice::RunCancelled.after(&format!("/job-runs/{id}"))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `POST /job-runs/{id}/retry`
pub(super) async fn retry(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let made = manage::retry(&office, &post.signed.actor, run_id(&id)?, None).await?;
        Ok(page::go(&Notice::JobStarted.after(&format!("/job-runs/{}", RunId(made.id)))))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn a_run_under_way_is_followed_and_one_that_is_over_is_not() {
        let line = LineView {
            seq: 1,
            at: "2026-03-01T09:30:15Z".parse().unwrap(),
            line: "row <3> is bad".to_owned(),
        };
        let running = json!({"state": "running", "progress_done": 5, "progress_total": 20});
        let text = render(&viewer(), "run_1", &running, &[line], true).into_string();
        for part in ["data-refresh", r#"max="20" value="5""#, "row &lt;3&gt; is bad", "/cancel"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let failed = json!({"state": "failed", "progress_done": 5, "progress_total": 20});
        let text = render(&viewer(), "run_1", &failed, &[], true).into_string();
        assert!(!text.contains("data-refresh") && text.contains("/retry"), "{text}");
        let text = render(&viewer(), "run_1", &failed, &[], false).into_string();
        assert!(!text.contains("/retry"), "{text}");
    }
}
