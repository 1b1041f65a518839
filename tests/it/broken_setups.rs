//! Ten broken set-ups: what a person reads on the page of the machine, word for word, in both languages.
//!
//! Everything between the machine's packets and the page is the real thing; only sockets and the clock are not.

mod reading;

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    Router,
    body::Body,
    extract::connect_info::MockConnectInfo,
    http::{Request, StatusCode, header},
};
use muster::{
    auth::Auth,
    boot::{Architecture, LoaderTable, Policy},
    discovery::ArrivalPort,
    http::{
        PageSetup, PageState,
        boot::{BootBounds, boot_router},
        page_router,
    },
    ipam::{AddressRange, Mode, Subnet},
    store::{Role, User},
};
use muster_facts::MacAddr;
use muster_wire::{
    dhcp::{Message, MessageType},
    tftp::{End, Report},
};
use tower::ServiceExt;

use reading::{assert_fit_for_people, between, is_chinese, story, visible};

use crate::dhcp::rig::{MAC, Rig, arrival, discover, ip, ipxe, lab, select, time, uefi};

const OTHER_SERVER: u8 = 9;
const ENTERED: (&str, &str) = ("Entered in the ledger", "");
const LOOKS: (&str, &str) = ("Looks for a DHCP server (UEFI)", "");
const LOADER_RULE: &str = "The loader for this kind of firmware: UEFI";
const OFFERED: (&str, &str) = ("Address 10.77.0.100 offered, with boot file snponly.efi", LOADER_RULE);
const ASKS: (&str, &str) = ("Asks for the address 10.77.0.100", "");
const GIVEN: (&str, &str) = ("Address 10.77.0.100 given, with boot file snponly.efi", LOADER_RULE);
const ASKS_FILE: (&str, &str) = ("Asks for snponly.efi by TFTP", "");
const LOADED: (&str, &str) = ("Has loaded snponly.efi by TFTP (6 B) in 0.1 s", "");
const IPXE_RULE: &str = "It is iPXE already: it gets the address of its boot script";
const SCRIPT_OFFERED: (&str, &str) = (
    "Address 10.77.0.100 offered, with boot address http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:09",
    IPXE_RULE,
);
const SCRIPT_GIVEN: (&str, &str) = (
    "Address 10.77.0.100 given, with boot address http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:09",
    IPXE_RULE,
);
/// Firmware up to its loader.
const FIRMWARE: [(&str, &str); 6] = [LOOKS, OFFERED, ASKS, GIVEN, ASKS_FILE, LOADED];
/// iPXE up to its script's address.
const IPXE: [(&str, &str); 4] = [LOOKS, SCRIPT_OFFERED, ASKS, SCRIPT_GIVEN];

/// A server with its pages, and somebody who has signed in.
struct Site {
    rig: Rig,
    pages: Router,
    cookie: String,
}

/// What a page says: the banner's title and advice, and the lines with their rules.
struct Page {
    verdict: String,
    advice: String,
    story: Vec<(String, String)>,
}

/// What is read on the page of a broken set-up.
struct Told<'a> {
    code: &'a str,
    verdict: &'a str,
    advice: &'a str,
    story: &'a [&'a [(&'a str, &'a str)]],
    chinese: [&'a str; 2],
}

impl Site {
    async fn new(subnets: Vec<Subnet>) -> Self {
        Self::with(subnets, Policy::default()).await
    }

    async fn with(subnets: Vec<Subnet>, policy: Policy) -> Self {
        let rig = Rig::with(subnets, policy).await;
        let auth = Auth::new(rig.store.clone());
        let user = User {
            id: uuid::Uuid::from_u128(1),
            name: "reader".to_owned(),
            password_hash: "no password fits".to_owned(),
            role: Role::Viewer,
            locale: None,
            created_at: time(0),
        };
        rig.store.create_user(&user).await.unwrap();
        let session = auth.open_session(user, time(0)).await.unwrap();
        let pages = page_router(PageState::new(PageSetup {
            answers: None,
            installs: None,
            discovery: rig.discovery.clone(),
            auth,
            https: false,
            proxies: Vec::new(),
        }));
        Self {
            cookie: format!("muster_session={}", session.secret.reveal()),
            rig,
            pages,
        }
    }

    async fn html(&self, path: &str, language: &str) -> String {
        self.rig.store.drain().await.unwrap();
        let request = Request::get(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::ACCEPT_LANGUAGE, language)
            .body(Body::empty())
            .unwrap();
        let response = self.pages.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        body(response).await
    }

    /// The machine's page, with what it says held to be fit for people.
    async fn page(&self, tab: &str, language: &str) -> Page {
        let host = self.rig.discovery.host_by_mac(MAC).expect("the machine has a page");
        let html = self.html(&format!("/hosts/{}?tab={tab}", host.id), language).await;
        assert_fit_for_people(&visible(between(&html, "<main", "</main>")));
        let banner = between(&html, "<section class=\"banner", "</section>");
        let page = Page {
            verdict: visible(between(banner, "<h2>", "</h2>")),
            advice: visible(between(banner, "<p>", "</p>")),
            story: story(&html),
        };
        // A dash stands for nothing in tables; a sentence has none.
        let said = page.story.iter().flat_map(|(words, rule)| [words, rule]);
        assert!(!said.chain([&page.verdict, &page.advice]).any(|text| text.contains('–')));
        page
    }

    async fn assert_told(&self, told: &Told<'_>) {
        self.rig.discovery.sweep();
        let host = self.rig.discovery.host_by_mac(MAC).unwrap();
        assert_eq!(host.boot_verdict.as_deref(), Some(told.code), "lists show it");
        let whole: Vec<_> = told.story.concat();
        let page = self.page("boots", "en").await;
        let lines: Vec<_> = page.story.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(lines, whole);
        assert_eq!(page.verdict, told.verdict);
        assert!(page.advice.contains(told.advice), "{}", page.advice);
        let overview = self.page("overview", "en").await;
        assert_eq!((&overview.verdict, &overview.advice), (&page.verdict, &page.advice));
        assert!(page.story.ends_with(&overview.story) && !overview.story.is_empty());

        let [verdict, advice] = told.chinese;
        let page = self.page("overview", "zh-CN").await;
        assert_eq!(page.verdict, verdict);
        assert!(page.advice.contains(advice), "{}", page.advice);
        let page = self.page("boots", "zh-CN").await;
        assert_eq!(page.story.len(), whole.len());
        for ((words, rule), (_, english)) in page.story.iter().zip(&whole) {
            assert!(is_chinese(words), "{words}");
            assert_eq!(is_chinese(rule), !english.is_empty(), "{rule}");
        }
    }

    /// Address and boot file as firmware or a loader asks for them.
    async fn address(&self, wrap: fn(Message) -> Message) -> Ipv4Addr {
        let offer = self.rig.ask(&wrap(discover(MAC))).await.unwrap();
        self.rig.pass(1);
        let ack = self.rig.ask(&wrap(select(MAC, offer.yiaddr))).await.unwrap();
        assert_eq!(ack.message_type, Some(MessageType::Ack));
        ack.yiaddr
    }

    fn fetch(&self, client: Ipv4Addr, file: &str) {
        let discovery = &self.rig.discovery;
        let (content, ticket) = discovery
            .tftp_requested(client.into(), None, Ipv4Addr::LOCALHOST, file)
            .unwrap();
        self.rig.pass(1);
        let report = Report {
            bytes: content.bytes.len() as u64,
            duration_ms: 120,
            retransmits: 0,
            end: End::Completed,
        };
        discovery.tftp_ended(&ticket, &report);
    }

    /// Firmware that boots as far as its loader.
    async fn firmware(&self, file: &str) -> Ipv4Addr {
        let address = self.address(uefi).await;
        self.fetch(address, file);
        self.rig.pass(2);
        address
    }

    /// A request of a machine to the boot routes.
    async fn http(
        &self,
        client: Ipv4Addr,
        request: axum::http::request::Builder,
        content: &str,
    ) -> (StatusCode, String) {
        let client = SocketAddr::from((client, 40_000));
        let router = boot_router(self.rig.discovery.clone(), BootBounds::default()).layer(MockConnectInfo(client));
        let request = request
            .header(header::HOST, "10.77.0.1:8081")
            .body(Body::from(content.to_owned()))
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        (response.status(), body(response).await)
    }

    async fn script(&self, client: Ipv4Addr) -> String {
        let path = format!("/boot/ipxe?mac={MAC}&platform=efi&arch=x86_64");
        self.http(client, Request::get(path), "").await.1
    }

    /// The other server's offer, which is heard, and the client's choice of it.
    async fn other_server_wins(&self) {
        let mut offer = Message::reply_to(&uefi(discover(MAC)), MessageType::Offer);
        offer.server_id = Some(ip(OTHER_SERVER));
        offer.yiaddr = ip(60);
        let mut heard = arrival(ArrivalPort::Client);
        heard.from = std::net::SocketAddrV4::new(ip(OTHER_SERVER), 67);
        self.rig.discovery.dhcp(&offer, &heard).await;
        self.rig.pass(1);
        let mut chosen = uefi(select(MAC, ip(60)));
        chosen.server_id = Some(ip(OTHER_SERVER));
        assert_eq!(self.rig.ask(&chosen).await, None);
    }
}

async fn body(response: axum::response::Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn no_subnet_for_the_interface() {
    let site = Site::new(Vec::new()).await;
    assert_eq!(site.rig.ask(&uefi(discover(MAC))).await, None);
    site.assert_told(&Told {
        code: "no_subnet",
        verdict: "No subnet for the network it asked in (interface br0)",
        advice: "Add a [[dhcp.subnets]] entry whose network contains the address of that interface",
        story: &[&[
            ENTERED,
            LOOKS,
            (
                "Not answered",
                "The network it asks in is in no configured subnet (interface br0)",
            ),
        ]],
        chinese: ["它所在的网络没有配置子网（接口 br0）", "请加入一个 [[dhcp.subnets]]"],
    })
    .await;
}

#[tokio::test]
async fn a_second_dhcp_server_answers_first() {
    let site = Site::new(lab(Mode::Pool)).await;
    site.rig.ask(&uefi(discover(MAC))).await.unwrap();
    site.other_server_wins().await;
    site.assert_told(&Told {
        code: "other_server_first",
        verdict: "Another DHCP server answered first: 10.77.0.9",
        advice: "Switch the other server off for this network, or set the subnet's mode to proxy",
        story: &[&[
            ENTERED,
            LOOKS,
            OFFERED,
            (
                "Another DHCP server (10.77.0.9) serves it",
                "Another server answered it",
            ),
            ("Asks for the address 10.77.0.60", ""),
            (
                "Another DHCP server (10.77.0.9) serves it",
                "It took another server's offer",
            ),
        ]],
        chinese: ["另一台 DHCP 服务器抢先应答：10.77.0.9", "请在该网络关掉另一台服务器"],
    })
    .await;
    let page = visible(&site.html("/dhcp", "en").await);
    assert!(page.contains("10.77.0.9"), "the DHCP page names it: {page}");
}

#[tokio::test]
async fn the_wrong_loader_for_the_architecture() {
    let mut loaders = LoaderTable::default();
    loaders.set(Architecture::X64Uefi, "undionly.kpxe");
    let policy = Policy {
        loaders,
        ..Policy::default()
    };
    let site = Site::with(lab(Mode::Pool), policy).await;
    site.firmware("undionly.kpxe").await;
    site.rig.pass(40);
    site.assert_told(&Told {
        code: "wrong_loader",
        verdict: "It was given a loader for another kind of firmware: undionly.kpxe",
        advice: "undionly.kpxe is for BIOS, and this machine is UEFI. Give the right loader",
        story: &[&[
            ENTERED,
            LOOKS,
            ("Address 10.77.0.100 offered, with boot file undionly.kpxe", LOADER_RULE),
            ASKS,
            ("Address 10.77.0.100 given, with boot file undionly.kpxe", LOADER_RULE),
            ("Asks for undionly.kpxe by TFTP", ""),
            ("Has loaded undionly.kpxe by TFTP (6 B) in 0.1 s", ""),
        ]],
        chinese: [
            "它拿到的是另一种固件的引导程序：undionly.kpxe",
            "undionly.kpxe 适用于 BIOS，而这台机器是 UEFI。请在 [boot.loaders] 中",
        ],
    })
    .await;
}

#[tokio::test]
async fn firmware_that_ignores_proxydhcp() {
    let site = Site::new(lab(Mode::Proxy)).await;
    site.rig.ask(&uefi(discover(MAC))).await.unwrap();
    site.other_server_wins().await;
    site.rig.pass(40);
    site.assert_told(&Told {
        code: "proxy_ignored",
        verdict: "Its firmware did not take Muster's boot answer beside 10.77.0.9",
        advice: "Set options 66 and 67 on that server to Muster and the loader",
        story: &[&[
            ENTERED,
            LOOKS,
            (
                "Boot information offered beside the other server: snponly.efi",
                LOADER_RULE,
            ),
            (
                "Another DHCP server (10.77.0.9) serves it",
                "Another server answered it",
            ),
            ("Asks for the address 10.77.0.60", ""),
            (
                "Another DHCP server (10.77.0.9) serves it",
                "It took another server's offer",
            ),
        ]],
        chinese: [
            "它的固件没有采用 Muster 的启动应答（另一台服务器 10.77.0.9）",
            "请在那台服务器上把选项 66 和 67 设为",
        ],
    })
    .await;
}

#[tokio::test]
async fn no_collection_image() {
    let site = Site::new(lab(Mode::Pool)).await;
    std::fs::remove_file(site.rig.folder.path().join("initrd")).unwrap();
    site.rig.discovery.files().look();
    site.firmware("snponly.efi").await;
    let address = site.address(ipxe).await;
    assert!(!site.script(address).await.contains("muster.token="));
    site.assert_told(&Told {
        code: "no_image",
        verdict: "The collection image is missing on the server",
        advice: "set boot.image_dir to its directory",
        story: &[
            &[ENTERED],
            &FIRMWARE,
            &IPXE,
            &[(
                "Boot script given: wait and ask again",
                "There is no collection image on the server",
            )],
        ],
        chinese: ["服务器上缺少采集镜像", "并把 boot.image_dir 设为其目录"],
    })
    .await;
}

#[tokio::test]
async fn an_exhausted_pool() {
    let mut subnets = lab(Mode::Pool);
    subnets[0].ranges = vec![AddressRange {
        first: ip(100),
        last: ip(100),
    }];
    let site = Site::new(subnets).await;
    site.rig.lease(MacAddr([2, 0, 0, 0, 0, 1])).await;
    assert_eq!(site.rig.ask(&uefi(discover(MAC))).await, None);
    site.assert_told(&Told {
        code: "pool_exhausted",
        verdict: "No free address was left in 10.77.0.0/24",
        advice: "Widen the subnet's ranges or shorten its lease_time",
        story: &[&[
            ENTERED,
            LOOKS,
            ("Not answered", "Every address of the subnet 10.77.0.0/24 is in use"),
        ]],
        chinese: ["没有空闲地址了（10.77.0.0/24）", "扩大子网的地址段或缩短 lease_time"],
    })
    .await;
}

#[tokio::test]
async fn an_expired_boot_token() {
    let site = Site::new(lab(Mode::Pool)).await;
    site.firmware("snponly.efi").await;
    let address = site.address(ipxe).await;
    let script = site.script(address).await;
    let token = between(&script, "muster.token=", " ").trim();
    for file in ["vmlinuz", "initrd"] {
        let (status, _) = site
            .http(address, Request::get(format!("/boot/image/{file}")), "")
            .await;
        assert_eq!(status, StatusCode::OK);
    }
    site.rig.pass(31 * 60);
    let report = Request::post("/boot/facts").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (status, _) = site.http(address, report, "{}").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    site.assert_told(&Told {
        code: "token_expired",
        verdict: "It reported too late: its boot token had ended",
        advice: "Boot the machine again. If it is just slow, lengthen boot.token_lifetime.",
        story: &[
            &[ENTERED],
            &FIRMWARE,
            &IPXE,
            &[
                (
                    "Boot script given: the collection image",
                    "Unknown machines are collected (boot.unknown)",
                ),
                ("Loads vmlinuz by HTTP (5 B)", ""),
                ("Loads initrd by HTTP (5 B)", ""),
                ("Report refused: its boot token had ended", ""),
            ],
        ],
        chinese: ["上报太晚：启动令牌已过期", "请重新启动这台机器"],
    })
    .await;
}

#[tokio::test]
async fn the_server_is_not_reachable_by_http() {
    let site = Site::new(lab(Mode::Pool)).await;
    site.firmware("snponly.efi").await;
    site.address(ipxe).await;
    assert_eq!(site.page("overview", "en").await.verdict, "Booting now");
    site.rig.pass(30);
    let told = Told {
        code: "http_unreachable",
        verdict: "It got an address, but did not reach the server by HTTP",
        advice: "It was told to fetch http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:09 and never did. \
                 See whether a firewall stops the boot port",
        story: &[&[ENTERED], &FIRMWARE, &IPXE],
        chinese: [
            "它得到了地址，但没能通过 HTTP 访问服务器",
            "已让它访问 http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:09，但它一直没有来。",
        ],
    };
    site.assert_told(&told).await;
    // A refused connection ends iPXE at once, and the firmware goes round and round: still one story.
    site.firmware("snponly.efi").await;
    site.address(ipxe).await;
    let again = Told {
        story: &[&[ENTERED], &FIRMWARE, &IPXE, &FIRMWARE, &IPXE],
        ..told
    };
    site.assert_told(&again).await;
    site.script(ip(100)).await;
    assert_eq!(site.page("overview", "en").await.verdict, "Booting now");
}

#[tokio::test]
async fn a_mac_that_is_refused_by_policy() {
    let refusing = || Policy {
        refuse: vec!["52:54:00:77:*".parse().unwrap()],
        ..Policy::default()
    };
    let rule = "Its MAC matches a pattern of boot.refuse: 52:54:00:77:*";
    let site = Site::with(lab(Mode::Pool), refusing()).await;
    assert_eq!(site.rig.ask(&uefi(discover(MAC))).await, None);
    let told = Told {
        code: "refused_by_policy",
        verdict: "Its MAC address is refused by the settings (52:54:00:77:*)",
        advice: "take the pattern 52:54:00:77:* out of boot.refuse in muster.toml",
        story: &[&[ENTERED, LOOKS, ("Not answered", rule)]],
        chinese: [
            "它的 MAC 地址被设置拒绝（52:54:00:77:*）",
            "请从 muster.toml 的 boot.refuse 中去掉模式 52:54:00:77:*",
        ],
    };
    site.assert_told(&told).await;
    // Its DHCP is served by others, and all that is heard of it is its request for a script.
    let site = Site::with(Vec::new(), refusing()).await;
    assert!(!site.script(ip(60)).await.contains("muster.token="));
    site.assert_told(&Told {
        story: &[&[("Boot script given: refused", rule)]],
        ..told
    })
    .await;
}

#[tokio::test]
async fn a_machine_that_loops_through_the_loader() {
    let site = Site::new(lab(Mode::Pool)).await;
    for _ in 0..3 {
        site.firmware("snponly.efi").await;
        site.rig.pass(8);
    }
    site.assert_told(&Told {
        code: "loader_loop",
        verdict: "It loads the boot loader snponly.efi again and again (3 times)",
        advice: "Use the loaders that come with Muster, and look at boot.loaders.",
        story: &[&[ENTERED], &FIRMWARE, &FIRMWARE, &FIRMWARE],
        chinese: ["它反复加载引导程序 snponly.efi（3 次）", "请使用 Muster 附带的引导程序"],
    })
    .await;
}

#[tokio::test]
async fn bad_input_is_counted_where_a_person_sees_it() {
    let site = Site::new(lab(Mode::Pool)).await;
    let sender = std::net::SocketAddrV4::new(ip(66), 1000);
    site.rig.discovery.dhcp_malformed(sender, "br0", "hardware length 255");
    for _ in 0..2 {
        site.rig.discovery.tftp_malformed(sender, "opcode 7");
    }
    let address = site.address(ipxe).await;
    let script = site.script(address).await;
    let token = between(&script, "muster.token=", " ").trim();
    for (token, content, status) in [
        (token, r#"{"version":"one"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        ("guessed", "{}", StatusCode::UNAUTHORIZED),
    ] {
        let report = Request::post("/boot/facts").header(header::AUTHORIZATION, format!("Bearer {token}"));
        assert_eq!(site.http(address, report, content).await.0, status);
    }
    for (language, words) in [
        (
            "en",
            [
                "1 by DHCP · 2 by TFTP · 2 reports",
                "1 DISCOVER · 1 REQUEST",
                "1 OFFER · 1 ACK · 0 NAK",
            ],
        ),
        (
            "zh-CN",
            [
                "DHCP 1 · TFTP 2 · 上报 2",
                "DISCOVER 1 · REQUEST 1",
                "OFFER 1 · ACK 1 · NAK 0",
            ],
        ),
    ] {
        let page = visible(&site.html("/dhcp", language).await);
        for words in words {
            assert!(page.contains(words), "{words} in {page}");
        }
    }
    let page = site.page("overview", "en").await;
    assert!(
        page.verdict.starts_with("Its report was refused: field `version`"),
        "{}",
        page.verdict
    );
}
