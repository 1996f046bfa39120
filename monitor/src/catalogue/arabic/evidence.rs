//! Evidence in Arabic. Numbers stand behind a colon or their unit, where no word has to agree with them.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{
    catalogue::numbers::{self, Unit, grouped, signal},
    model::{TcpState, diagnosis::Evidence, process::Exit},
};

/// A fact, as part of a list.
pub(in crate::catalogue) fn text(fact: &Evidence) -> String {
    match fact {
        Evidence::SenderIsHere => "الطرف الذي أرسل إعادة الضبط على هذا المضيف".to_owned(),
        Evidence::KernelReason(reason) => format!("السبب الذي تذكره النواة: {reason}"),
        Evidence::State(state) => format!("الحالة قبل ذلك: {}", TcpState::as_str(*state)),
        Evidence::NoSocket => "لم يكن لأي مقبس دور في ذلك".to_owned(),
        Evidence::Trigger { flags, bytes: 0 } => format!("جاءت ردًا على حزمة بلا بيانات أعلامها: {flags}"),
        Evidence::Trigger { flags, bytes: payload } => {
            format!("جاءت ردًا على حزمة أعلامها {flags} وبياناتها: {}", bytes(*payload))
        }
        Evidence::UnreadBytes(unread) => format!("بيانات وصلت ولم تُقرأ: {}", bytes(*unread)),
        Evidence::UnackedBytes(0) => "لم تبقَ بيانات دون إشعار باستلامها".to_owned(),
        Evidence::UnackedBytes(unacked) => format!("بيانات لم يُشعَر باستلامها: {}", bytes(*unacked)),
        Evidence::BytesSent(0) => "لم يُرسَل شيء".to_owned(),
        Evidence::BytesSent(sent) => format!("ما أُرسل حتى ذلك الحين: {}", bytes(*sent)),
        Evidence::BytesReceived(0) => "لم يُستلَم شيء".to_owned(),
        Evidence::BytesReceived(received) => format!("ما استُلم حتى ذلك الحين: {}", bytes(*received)),
        Evidence::Idle(idle) => format!("مدة الخمول: {}", duration(*idle)),
        Evidence::IdleBeforeClose(idle) => format!("مدة الخمول قبل الإغلاق: {}", duration(*idle)),
        Evidence::KnownTimer { idle, name } => {
            format!("مدة الخمول: {}، وهي مهلة الخمول في {name}", duration(*idle))
        }
        Evidence::PeersTimer { idle, times } => format!(
            "سبق أن أعاد الطرف الآخر الضبط بعد مدة الخمول نفسها ({})؛ عدد المرات: {}",
            duration(*idle),
            grouped((*times).into())
        ),
        Evidence::SinceSent(since) => format!("المدة منذ آخر بيانات أُرسلت: {}", duration(*since)),
        Evidence::SinceReceived(since) => format!("المدة منذ آخر بيانات وصلت: {}", duration(*since)),
        Evidence::Pause(pause) => {
            format!("المدة التي لم يصل فيها شيء من الطرف الآخر قبل الإرسال: {}", duration(*pause))
        }
        Evidence::RoundTrip(time) => format!("زمن الذهاب والإياب: {}", duration(*time)),
        Evidence::SinceClose(since) => format!("المدة منذ إغلاق الاتصال: {}", duration(*since)),
        Evidence::ListenedUntil(since) => {
            format!("كان برنامج يستمع على المنفذ؛ المدة منذ توقفه: {}", duration(*since))
        }
        Evidence::NothingRemembered => "لا يُعرف شيء عن اتصال كهذا".to_owned(),
        Evidence::TtlDiffers { handshake, rst } => {
            format!("قيمة TTL في RST هي {rst}، وكانت في المصافحة {handshake}")
        }
        Evidence::FasterThanRoundTrip { after, round_trip } => format!(
            "المدة بين آخر بيانات وRST: {}، وزمن الذهاب والإياب: {}",
            duration(*after),
            duration(*round_trip)
        ),
        Evidence::PeerSentAfterReset(since) => {
            format!("واصل الطرف الآخر الإرسال بعد RST باسمه؛ المدة منذ وصولها: {}", duration(*since))
        }
        Evidence::OwnReset(since) => {
            format!("كان هذا الطرف قد أعاد ضبط الاتصال؛ المدة منذ ذلك: {}", duration(*since))
        }
        Evidence::PeerHasSentAfterReset(times) => {
            format!("سبق أن واصل الطرف الآخر الإرسال بعد RST باسمه؛ عدد الاتصالات: {}", grouped((*times).into()))
        }
        Evidence::AcceptQueue(queue) => {
            let (length, limit) = (grouped(queue.length.into()), grouped(queue.limit.into()));
            format!("طول طابور القبول: {length}، وحده الأقصى: {limit}")
        }
        Evidence::KeepaliveProbes(probes) => format!("فحوص keepalive التي لم يُجب عنها: {probes}"),
        Evidence::UserTimeout(timeout) => format!("قيمة TCP_USER_TIMEOUT هي {}", duration(*timeout)),
        Evidence::LingerZero => "ضُبط SO_LINGER على 0 ثانية".to_owned(),
        Evidence::Linger2Negative => "قيمة TCP_LINGER2 سالبة".to_owned(),
        Evidence::NotShutDown => "لم يُغلَق أي من اتجاهَي الاتصال".to_owned(),
        Evidence::Orphaned => "كان البرنامج قد أغلق الاتصال".to_owned(),
        Evidence::NeverAccepted => "لم يقبل أي برنامج الاتصال".to_owned(),
        Evidence::Exit(how) => format!("كيف انتهت العملية: {}", exit(*how)),
        Evidence::Burst(times) => {
            format!("اتصالات أخرى للعملية أُعيد ضبطها عند انتهائها: {}", grouped((*times).into()))
        }
        Evidence::Actor { comm, pid } => format!("الفاعل {comm}[{pid}]، وليس مالك المقبس"),
        Evidence::PortScan { ports, within } => {
            format!("منافذ مغلقة جربها الطرف الآخر: {}، خلال {}", grouped((*ports).into()), duration(*within))
        }
        Evidence::Firewall(hook) => format!("صنعها جدار الحماية في المرحلة {}", hook.as_str()),
        Evidence::NoLocalSender => "كلا الطرفين على هذا المضيف، ولم يرسلها أي مقبس فيه".to_owned(),
        Evidence::Mptcp => "المقبس مسار فرعي في Multipath TCP".to_owned(),
        Evidence::OtherNamespace { netns, peer } => {
            format!("شوهدت حزم من {peer} للمنفذ نفسه في فضاء الشبكة {netns}")
        }
        Evidence::Told(words) => words.as_ref().to_owned(),
    }
}

/// So many bytes.
pub(super) fn bytes(number: impl Into<u64>) -> String {
    format!("{} بايت", grouped(number.into()))
}

/// A time, as exact as it was measured.
fn duration(duration: Duration) -> String {
    with_unit(numbers::measured(duration))
}

/// A time, as exact as a sentence needs it.
pub(super) fn about(duration: Duration) -> String {
    with_unit(numbers::rounded(duration))
}

/// A moment, by its distance from another one.
pub(in crate::catalogue) fn offset(at: SignedDuration) -> String {
    let distance = match at.unsigned_abs() {
        Duration::ZERO => return "0".to_owned(),
        short if short < Duration::from_millis(1) => format!("{} ميكروثانية", short.as_micros()),
        distance => duration(distance),
    };
    if at.is_negative() { format!("قبل {distance}") } else { format!("بعد {distance}") }
}

fn with_unit((number, unit): (String, Unit)) -> String {
    match unit {
        Unit::Milliseconds => format!("{number} مللي ثانية"),
        Unit::Seconds => format!("{number} ثانية"),
    }
}

/// How a process ended.
pub(super) fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("رمز الخروج {code}"),
        Exit::Signal(number) => match signal(number) {
            Some(name) => format!("الإشارة {number} ({name})"),
            None => format!("الإشارة {number}"),
        },
    }
}
