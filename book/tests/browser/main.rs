//! The rendered book in a real browser: every page in both themes, wide and on a phone, has no
//! error, takes nothing from elsewhere, is not wider than the screen and is accessible; the search
//! finds what there is; the nine steps can be walked by the keyboard.
//!
//! It needs Chromium, its driver and axe-core. Where they are missing it says so and is skipped,
//! unless `BROWSER_TEST=required`, as in `.ci/run`, which installs them.

mod chromium;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use ninestep_book::render::render;
use serde_json::{Value, json};
use thirtyfour::{By, Key, WebDriver};
use tokio::time::{sleep, timeout};

use chromium::{Driver, installed, serve};

/// For all of it, and for one thing that a page does by and by.
const MOST_TIME: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let axe = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/browser/node_modules/axe-core/axe.min.js");
    let (driver, browser, axe) = match (
        installed(&["chromedriver"]),
        installed(&["chromium", "chromium-browser", "google-chrome"]),
        fs::read_to_string(axe),
    ) {
        (Some(driver), Some(browser), Ok(axe)) => (driver, browser, axe),
        (driver, browser, axe) => {
            let mut missing = vec![];
            missing.extend(driver.is_none().then_some("chromedriver"));
            missing.extend(browser.is_none().then_some("chromium"));
            missing.extend(axe.is_err().then_some("axe-core"));
            let missing = format!("{} not installed; .ci/run does it", missing.join(", "));
            ensure!(env::var_os("BROWSER_TEST").is_none(), missing);
            println!("\nbrowser test skipped: {missing}\n");
            return Ok(());
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        render(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), folder.path())?;
        let book = serve(folder.path()).await?;
        let driver = Driver::start(&driver)?;
        let browser = driver.browser(&browser).await?;
        let test = Test { browser, book, axe };
        let result = timeout(MOST_TIME, test.run(&pages(folder.path())?)).await;
        test.browser.quit().await?;
        result.context("the browser test takes too long")?
    })
}

/// The names of the book's pages.
fn pages(folder: &Path) -> Result<BTreeSet<String>> {
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<String> = names
        .map(|name: Result<_>| Ok(name?.to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    // The list of contents for those without JavaScript stands inside a page.
    Ok(names.into_iter().filter(|name| name.ends_with(".html") && name != "toc.html").collect())
}

struct Test {
    browser: WebDriver,
    book: String,
    axe: String,
}

impl Test {
    async fn run(&self, pages: &BTreeSet<String>) -> Result<()> {
        let mut faults = Vec::new();
        for (theme, class) in [("light", "light"), ("dark", "navy")] {
            for width in [360, 1280] {
                self.pretend(theme, width).await?;
                for page in pages {
                    let place = format!("{page}, {theme}, {width} pixels");
                    let found = self.look_at(page, class).await.with_context(|| place.clone())?;
                    faults.extend(found.into_iter().map(|fault| format!("{place}: {fault}")));
                }
            }
        }
        faults.extend(self.search("fork").await?);
        faults.extend(self.walk().await?);
        faults.extend(self.logged().await?);
        println!("{} pages, in two themes and two widths", pages.len());
        if !faults.is_empty() {
            bail!("{} faults\n{}", faults.len(), faults.join("\n"));
        }
        Ok(())
    }

    /// The system's theme and the width of the screen.
    async fn pretend(&self, theme: &str, width: u32) -> Result<()> {
        let tools = self.browser.cdp();
        let theme = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        tools.send_raw("Emulation.setEmulatedMedia", theme).await?;
        let screen =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600});
        tools.send_raw("Emulation.setDeviceMetricsOverride", screen).await?;
        Ok(())
    }

    /// What is wrong with a page as it stands there.
    async fn look_at(&self, page: &str, theme: &str) -> Result<Vec<String>> {
        self.browser.goto(format!("{}{page}", self.book)).await?;
        let mut faults = Vec::new();
        let classes = self.ask("return document.documentElement.className").await?;
        if !classes.as_str().is_some_and(|classes| classes.split(' ').any(|is| is == theme)) {
            faults.push(format!("the theme is not {theme} but {classes}"));
        }
        let wide = self
            .ask(
                "return [...document.querySelectorAll('html, body, .content, main')]
                    .filter(e => e.scrollWidth > e.clientWidth)
                    .map(e => `<${e.localName}> is ${e.scrollWidth - e.clientWidth} too wide`)",
            )
            .await?;
        faults.extend(texts(&wide));
        let axe = format!(
            "{}
            const done = arguments[arguments.length - 1];
            axe.run({{resultTypes: ['violations']}}).then(found => done(found.violations
                .filter(v => v.impact === 'serious' || v.impact === 'critical')
                .flatMap(v => v.nodes.map(n => `${{v.id}} ${{n.target}} ${{n.failureSummary}}`))),
                why => done([String(why)]))",
            self.axe
        );
        let inaccessible = self.browser.execute_async(axe, vec![]).await?;
        faults.extend(texts(inaccessible.json()));
        Ok(faults)
    }

    /// Searches as a reader does, by the keyboard.
    async fn search(&self, word: &str) -> Result<Option<String>> {
        self.browser.goto(&self.book).await?;
        self.browser.find(By::Tag("body")).await?.send_keys("/").await?;
        let field = self.browser.find(By::Id("mdbook-searchbar")).await?;
        field.send_keys(word).await?;
        let found = timeout(SOON, async {
            while self.browser.find_all(By::Css("#mdbook-searchresults a")).await?.is_empty() {
                sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        });
        if found.await.is_err() {
            return Ok(Some(format!("the search does not find {word}")));
        }
        field.send_keys(Key::Down + Key::Enter).await?;
        let marked = timeout(SOON, async {
            while self.browser.find_all(By::Css("main mark")).await?.is_empty() {
                sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        });
        Ok(marked.await.is_err().then(|| format!("no page shows the {word} that was found")))
    }

    /// Walks through the nine steps and back, by the keyboard.
    async fn walk(&self) -> Result<Vec<String>> {
        self.browser.goto(format!("{}stepper.html", self.book)).await?;
        let panel = "[...document.querySelectorAll('.step')].filter(e => e.checkVisibility())";
        let mut faults = Vec::new();
        let keys = [(Key::Right, 2..=9), (Key::Home, 1..=1), (Key::End, 9..=9)];
        let back = (2..=9).rev().map(|step| (Key::Left, step - 1));
        let keys =
            keys.into_iter().flat_map(|(key, steps)| steps.map(move |step| (key.clone(), step)));
        self.browser.find(By::Css(".controls button")).await?.focus().await?;
        for (key, step) in keys.chain(back) {
            self.browser.active_element().await?.send_keys(key).await?;
            let shown = self.ask(&format!("return {panel}.map(e => e.id)")).await?;
            let said = self.ask("return document.querySelector('[aria-live]').textContent").await?;
            let said = said.as_str().unwrap_or_default();
            if shown != json!([format!("step-{step}")])
                || !said.starts_with(&format!("Step {step} of 9: "))
            {
                faults.push(format!("instead of step {step}, {shown} is shown and {said:?} said"));
            }
        }
        // The first step has no message. A field of the second lights up with its bytes and line.
        self.browser.active_element().await?.send_keys(Key::Right + "").await?;
        let field = self.browser.find(By::Css("#step-2 .fields li:nth-child(8)")).await?;
        field.focus().await?;
        let lit = "return [...document.querySelectorAll('.lit')].map(e => e.localName)";
        let expected = [vec!["rect"; 9], vec!["span", "li", "li"]].concat();
        let lit = self.ask(lit).await?;
        if lit != json!(expected) {
            faults.push(format!("a field and what belongs to it is {expected:?}, not {lit}"));
        }
        Ok(faults)
    }

    /// What the browser reported, and which requests went to another host.
    async fn logged(&self) -> Result<Vec<String>> {
        let said = self.browser.browser_log().await?.into_iter();
        let mut faults: Vec<String> = said.map(|entry| entry.message).collect();
        for entry in self.browser.get_log("performance").await? {
            let entry: Value = serde_json::from_str(&entry.message)?;
            let event = &entry["message"];
            let to = event["params"]["request"]["url"].as_str().unwrap_or_default();
            let is_ours = to.starts_with(&self.book) || to.starts_with("data:");
            if event["method"] == "Network.requestWillBeSent" && !is_ours {
                faults.push(format!("a request to {to}"));
            }
        }
        Ok(faults)
    }

    async fn ask(&self, script: &str) -> Result<Value> {
        Ok(self.browser.execute(script, vec![]).await?.json().clone())
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
}
