//! What happened to whom, in one sentence of Arabic for each cause.

use super::evidence::{about, bytes, exit};
use crate::{
    catalogue::scene::{Party, Scene},
    cause::Cause,
    model::Errno,
};

/// The sentence, without a full stop.
pub(in crate::catalogue) fn sentence(scene: &Scene<'_>) -> String {
    let mut sentence = what_happened(scene);
    for told in [scene.told_sender(), scene.told()].into_iter().flatten() {
        sentence.push_str(&got(told));
    }
    sentence
}

fn got((who, errno): (Party<'_>, Errno)) -> String {
    format!("؛ وتلقى {who} الخطأ {}", errno.as_str())
}

fn what_happened(scene: &Scene<'_>) -> String {
    let (sender, receiver, at) = (scene.sender(), scene.receiver(), scene.sender_address());
    match scene.cause() {
        Cause::ClosedPort if scene.listened() => {
            format!("حاول {receiver} الاتصال بالعنوان {at} بعد أن توقف {sender} عن الاستماع عليه")
        }
        Cause::ClosedPort => format!("حاول {receiver} الاتصال بالعنوان {at} ولا أحد يستمع عليه"),
        Cause::PortScan => format!("يجرب {receiver} منافذ مغلقة كثيرة في {}", at.ip()),
        Cause::StaleConnection => format!("استخدم {receiver} اتصالًا بالعنوان {at} غير معروف عنده"),
        Cause::ConntrackBypass => {
            format!("فاتت ترجمةُ العناوين حزمةً بين {receiver} و{at}، فأعاد المضيف نفسه ضبط الاتصال")
        }
        Cause::CancelledConnect => format!("قبل {receiver} اتصالًا لم يعد {sender} يريده"),
        Cause::LateData => format!("أرسل {receiver} {} بعد أن أغلق {sender} الاتصال", late(scene)),
        Cause::KeepaliveRace => format!(
            "أرسل {receiver} {} في اللحظة التي أغلق فيها {sender} الاتصال{}",
            late(scene),
            scene
                .idle_before_close()
                .map(|idle| format!(" بعد خمول دام {}", about(idle)))
                .unwrap_or_default()
        ),
        Cause::CloseUnread => format!(
            "أغلق {sender} الاتصال وفيه {} لم تُقرأ، فأعادت النواة ضبطه",
            scene.unread().map_or_else(|| "بيانات".to_owned(), bytes)
        ),
        Cause::ProcessExit => format!(
            "انتهت العملية {sender}{} والاتصال مع {receiver} مفتوح",
            scene.exit().map(|how| format!(" ({})", exit(how))).unwrap_or_default()
        ),
        Cause::LingerZero => format!("أغلق {sender} الاتصال مع {receiver} مع SO_LINGER 0، وهذا يعيد ضبطه"),
        Cause::Disconnect => format!("فصل {sender} مقبسه عن {receiver}، وهذا يعيد ضبط الاتصال"),
        Cause::SocketKilled => match scene.actor() {
            Some(actor) => format!("أزال {actor} اتصال {sender} مع {receiver}"),
            None => format!("أُزيل اتصال {sender} مع {receiver} من الخارج"),
        },
        Cause::ListenerClosed => match scene.actor() {
            Some(actor) => format!("أغلق {actor} المقبس المستمع لدى {sender} قبل أن يُقبل اتصال {receiver}"),
            None => format!("توقف {sender} عن الاستماع قبل أن يقبل اتصال {receiver}"),
        },
        Cause::AcceptOverflow => format!(
            "كان طابور القبول لدى {sender} ممتلئًا{}، فأُعيد ضبط اتصال {receiver}",
            scene.queue().map(|queue| format!(" ({} من {})", queue.length, queue.limit)).unwrap_or_default()
        ),
        Cause::InvalidSyn => format!("جاءت SYN ثانية من {receiver} أثناء مصافحته مع {sender}"),
        Cause::BadHandshakeAck => format!("أرسل {receiver} إشعارًا بالاستلام لا يناسب مصافحته مع {sender}"),
        Cause::KeepaliveTimeout => match scene.probes() {
            Some(probes) => format!("لم يجب {receiver} عن فحوص keepalive من {sender} (عددها {probes})"),
            None => format!("لم يجب {receiver} عن فحوص keepalive من {sender}"),
        },
        Cause::OrphanTimeout => {
            format!("لم يغلق {receiver} جانبه في الوقت المناسب بعد أن أغلق {sender} الاتصال")
        }
        Cause::MemoryPressure => {
            format!("لم تبقَ لدى النواة ذاكرة لاتصال {sender} مع {receiver}، وكان قد أُغلق")
        }
        Cause::FirewallReject => format!("أعادت قاعدة في جدار الحماية ضبط اتصال {receiver} بالعنوان {at}"),
        Cause::Mptcp => format!("أنهى Multipath TCP مسارًا فرعيًا بين {sender} و{receiver}"),
        Cause::ConnectionRefused => format!("رفض {sender} اتصال {receiver}"),
        Cause::RefusedInHandshake => format!("قطع {sender} مصافحته مع {receiver}"),
        Cause::PeerIdleTimeout => format!(
            "أعاد {sender} ضبط اتصال خامل لدى {receiver}{}",
            scene.idle().map(|idle| format!(" بعد {}", about(idle))).unwrap_or_default()
        ),
        Cause::PeerKeepaliveRace => format!(
            "أرسل {receiver} بيانات بعد توقف{}، فأجاب {sender} بإعادة الضبط",
            scene.pause().map(|pause| format!(" دام {}", about(pause))).unwrap_or_default()
        ),
        Cause::PeerResetRequest => format!(
            "أعاد {sender} ضبط اتصال {receiver} بدل أن يجيب عما أرسله{}",
            scene.bytes_sent().map(|sent| format!(" ({})", bytes(sent))).unwrap_or_default()
        ),
        Cause::PeerResetResponse => format!(
            "أعاد {sender} ضبط اتصال {receiver} وبياناته ما زالت تصل{}",
            scene.bytes_received().map(|received| format!("، بعد {}", bytes(received))).unwrap_or_default()
        ),
        Cause::PeerResetUpload => {
            let sent = scene.bytes_sent().map(|sent| format!(" {}", bytes(sent))).unwrap_or_default();
            let unacked = scene.unacked().map(|unacked| format!("، لم يُشعَر باستلام {} منها", bytes(unacked)));
            format!(
                "أعاد {sender} ضبط الاتصال بينما كان {receiver} يرسل إليه{sent}{}",
                unacked.unwrap_or_default()
            )
        }
        Cause::PeerResetEarly => format!("أعاد {sender} ضبط اتصال جديد لدى {receiver} قبل أي بيانات"),
        Cause::ResetAfterPeerClose => format!("واصل {receiver} الكتابة بعد أن أغلق {sender} الاتصال"),
        Cause::ResetAfterClose => format!("أعاد {sender} ضبط اتصال كان {receiver} قد أغلقه"),
        Cause::Injected => {
            format!("أصابت {receiver} حزمةُ RST باسم {sender}، ويبدو أنها جاءت من الطريق بينهما")
        }
        Cause::Unknown => format!("أعاد {sender} ضبط الاتصال مع {receiver}، ولا يناسبه أي سبب معروف"),
    }
}

fn late(scene: &Scene<'_>) -> String {
    scene.late_bytes().filter(|bytes| *bytes > 0).map_or_else(|| "حزمة".to_owned(), bytes)
}
