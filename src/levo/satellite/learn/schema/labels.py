# ruff: noqa: SIM905 (a list of a thousand words reads better as a text)
"""Public words: the only strings of the traffic that may be kept, as members of an enum.

A string is a label when every part of it is a word of this list, which is the same for every installation
and came from no traffic: states, roles, units, codes of currencies, countries and languages. So an enum in
a document can only say what its reader could have read here, and a name, a key or a password (other than
one of these words) is never stored. Fields whose name says that they are personal or secret have no labels.
"""

from __future__ import annotations

import re
from functools import lru_cache

MAX_CHARACTERS = 40
MAX_PARTS = 4

_WORDS = frozenset(
    """
    accept accepted accepting access account ach ack acknowledged action activate activated active activity
    add added address adjustment admin administrator advanced afternoon agent aggregate alert alias all
    allow allowed alpha am amber amex and annual annually anonymous any api app apple applepay application
    applied approval approve approved apr april archive archived area array as asc ascending assigned async
    at attached attachment audio audit aug august auth authorized auto automatic available avatar average
    away back backlog backup bad balance bank banned bar base basic batch beauty beta bill billed billing
    bitbucket black block blocked blog blue board body book booked books boolean bot bottom box branch brand
    bronze browser bug build building bulk business busy button buy by bytes cache calendar call callback
    campaign cancel canceled canceling cancelled cancelling capture captured car card cart cash catalog
    category celsius center central change changed channel charge chargeback charged chat check checked
    checking checkout child children city class clear cleared click client clone close closed closing cloud
    cluster cm code collected collection color column comment commercial commit committed common community
    company complete completed completing completion component computer condition conference config
    configuration configured confirm confirmed confirming conflict connect connected connecting connection
    constant contact container content contract control conversion converted cookie copied copy corporate
    cost count country coupon course create created creating creation credit credited critical cron csv
    currency current custom customer cvv cyan cycle daily dark dashboard data database date day days
    deactivated dead debit debited debug dec december decimal decline declined default deferred degraded
    delay delayed delete deleted deleting delivered delivering delivery demo denied department deploy
    deployed deploying deployment deposit deprecated desc descending design desktop destination detached
    detail details dev develop developer development device digital diners direct directory disable disabled
    disconnected discount discover dismissed dispatched display disputed distributed division document
    domain done double down downgrade download downloaded dozen draft dropped due duplicate duration dynamic
    each east easy echo edge edit edited editor education electronics element em email emergency employee
    empty enable enabled encrypted end ended ending energy engine enterprise entity entry enum env
    environment equal error errored escalated estimate estimated evaluation evening event events exact
    example excellent exception exchange excluded executed executing execution existing exit expense
    experimental expired expires expiring export exported express extended external extra face facebook
    fahrenheit fail failed failing failure fair false family fashion fast fatal fault favorite feature
    featured feb february fee feed feedback female fetch field file files filled filter final finance
    finished first fixed flag flagged flat flex float flow folder follow follower following food for
    forbidden force forecast form format forward found fraud free frequency fresh fri friday from frozen ft
    fulfilled fulfillment full function fund funded funds furniture future gal game games garden gas gateway
    gb general generated generic get gif gift git github gitlab global go gold good goods google googlepay
    grade gradle grant granted graph gray green grey grid grocery group guest guide half hard hardware head
    header health healthy heavy held help hidden high highest history hold holiday home horizontal host
    hotel hour hourly hours house hover html http https iban icon id idle ignored image images immediate
    import important imported in inactive inbound inbox inch inches included income incoming incomplete
    incorrect increase index indexed individual industry info information inherit initial initialized
    initializing initiated inline input insert insufficient insurance int int32 int64 integer interest
    internal international internet interval into invalid inventory investment invite invited invoice
    invoiced ios ip is issue issued issues item items jan january java javascript jcb job join joined
    journal jpeg jpg json jul july jun june kb keep kelvin key keyword kg kids kind kitchen klarna km known
    kubernetes label land landscape language large last late latest launch launched lb lbs lead leader leave
    left legacy legal length level library license light like limit limited line linear link linked linux
    list listed literal live load loaded loading loan local location lock locked log logged login logo
    logout long lost low lower lowest mac machine maestro magenta mail main maintenance major male man
    manage managed management manager manual map mar march market marketing marketplace master mastercard
    match matched math matrix maven max maximum may mb media medium meeting member memory men menu merchant
    merge merged message messages meta metadata meter method metric mg mi micro middle migrated migration
    min minimum minor minute minutes mismatch missing mixed ml mm mobile mode model moderate moderator
    modified module mon monday money monitor month monthly months morning mouse move moved moving ms multi
    multiple music muted name native natural nav negative network neutral never new news next night no node
    none normal north northeast northwest not note notes notice notification notified nov november npm nuget
    null number numeric object oct october of off offer offered office offline ok old on once one ongoing
    online only open opened opening operation operational operator optional options or orange order ordered
    orders organization origin original other outbound outdoor outdoors outgoing output over overdraft
    overdue overridden owned owner oz package packed page paid pair paired panel parallel parameter parent
    park part partial partially partner party passed passing past patch path pattern pause paused pay
    payable payment payments payout paypal payroll pcs pdf peak pending people per percent percentage period
    permanent permission person personal phone photo physical picked pickup picture piece pieces pink
    pipeline place placed plain plan planned platform play player playing plugin pm png point points policy
    pool poor popular port portrait position positive post posted power preferred premium prepaid prepared
    preparing present preview previous price primary print priority private pro probation process processed
    processing processor product production products profile program progress project promo promoted
    promotion proof property proposal proposed protected provider provisioned provisioning proxy pt public
    publish published publisher publishing pull purchase purchased purple push put px python quality
    quantity quarter quarterly query question queue queued quick quiet quote quoted random range ranked rate
    rated rating raw read reader reading ready real reason rebooting receipt receive received receiving
    recent recipient record recovered recovery rectangle recurring red redirect reduced reference referral
    refund refunded refunding refused region registered registration regular reject rejected related release
    released remote remove removed rename renewal renewed repair repeat replaced replacement reply report
    reported reports repository request requested requests required reserve reserved reset resize resolved
    resource response rest restart restarting restaurant restored restricted result results resume resumed
    retail retired retry retrying return returned returning returns revenue reverse reversed review reviewed
    reviewer reviewing revision revoked reward right ring risk role root round route row rule run running
    runtime safe sale sales same sandbox sat saturday save saved saving savings scale schedule scheduled
    scheduling schema school science scope score screen script search season sec second secondary seconds
    section security select selected self sell seller send sender sending sent sep sepa september sequence
    serial series server service session set setting settings settled settlement setup severe shadow shape
    share shared sheet shell ship shipment shipped shipping shop shopping short show side sign signed signup
    silver simple single site size skip skipped sleep sleeping slot slow small smart sms snapshot snoozed
    social soft software sold solid some sort source south southeast southwest space spam special specific
    spend sport sports spring square stable stack staff stage staged staging stale standard standby star
    start started starter starting startup state statement static station statistics status step stock stop
    stopped stopping storage store stored story strategy stream street string stripe strong student style
    sub subject submit submitted subscribe subscribed subscriber subscription succeeded success successful
    suggested suggestion suite summary summer sun sunday super supplier support supported suspend suspended
    suspicious swift sync synced synchronous syncing system tab table tablet tag tags target task tax taxi
    tb team tech technical technology template temporary tenant term terminal terminated terminating test
    testing text theme third thread threshold thu thumbnail thursday ticket tier time timed timeout title to
    today todo toggle token tools top topic total toy toys trace track tracked tracking trade traffic train
    training transaction transfer transferred transferring transit transport trash travel trial trigger
    triggered true trusted tue tuesday turn tv twitter two type unable unassigned unauthorized unavailable
    unconfirmed undefined undelivered under unhealthy unionpay unique unit universal university unknown
    unlimited unlisted unlocked unpaid unpublished unreachable unread unsubscribed unsupported untrusted
    unused unverified up upcoming update updated updating upgrade upgraded upload uploaded uploading urgent
    url usage use used user username users utility uuid vacation valid validated validating validation value
    variable variant vehicle vendor verbose verification verified verify verifying version vertical very
    video view viewed viewer violet vip virtual visa visible visit voice void voided volume voucher wait
    waiting wallet warehouse warn warning warranty watch water weak wearable web webhook website wed
    wednesday week weekday weekend weekly weight welcome west white whole wholesale wide widget width win
    window windows winter wire wireless with withdrawal withdrawn woman women won word work worker workflow
    working workspace world write writer wrong xml yaml year yearly years yellow yes yesterday zero zip zone
    """.split()
)
_CODES = frozenset(
    """
    A AA AB AD AE AED AF AFN AG AI AL ALL AM AMD AO AR ARS AS AT AU AUD AW AZ AZN B BA BAM BB BD BDT BE BF
    BG BGN BH BHD BI BJ BM BN BND BO BOB BR BRL BS BT BW BWP BY BYN BZ C CA CAD CC CD CDF CF CG CH CHF CI CL
    CLP CM CN CNY CO COP CR CRC CU CV CY CZ CZK D DE DJ DK DKK DM DO DOP DZ DZD E EC EE EG EGP ER ERN ES ET
    ETB EUR F FI FJ FM FR GA GB GBP GD GE GEL GH GHS GM GN GNF GR GT GTQ GW GY HK HKD HN HNL HR HRK HT HU
    HUF ID IDR IE IL ILS IN INR IQ IQD IR IRR IS ISK IT JM JMD JO JOD JP JPY KE KES KG KH KHR KM KMF KN KP
    KR KRW KW KWD KZ KZT L LA LB LBP LC LI LK LKR LR LS LT LTL LU LV LVL LY LYD M MA MAD MC MD MDL ME MG MGA
    MK MKD ML MM MMK MN MO MOP MR MT MU MUR MV MW MX MXN MY MYR MZ MZN NA NAD NE NG NGN NI NIO NL NO NOK NP
    NPR NZ NZD OM OMR PA PAB PE PEN PG PH PHP PK PKR PL PLN PR PT PW PY PYG QA QAR RO RON RS RSD RU RUB RW
    RWF S SA SAR SB SC SD SDG SE SEK SG SGD SI SK SL SM SN SO SOS SR SS ST SV SY SYP SZ TD TG TH THB TJ TL
    TM TN TND TO TOP TR TRY TT TTD TW TWD TZ TZS UA UAH UG UGX US USD UY UYU UZ UZS VA VC VE VEF VN VND VU
    WS XAF XL XOF XS XXL XXXL YE YER ZA ZAR ZM ZMW ZW
    """.split()
)
_LANGUAGES = frozenset(
    """
    ar bg ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nb nl nn no pl pt ro ru sk sl sr
    sv th tr uk ur vi zh
    """.split()
)
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[_\-.:/ ][A-Za-z][A-Za-z0-9]*)*")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WITHOUT_LABELS = re.compile(
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|pin|cvv|cvc|otp|credential|api_?key|private|answer"
    r"|(?:first|last|middle|full|given|family|sur|user|nick|maiden|birth|display|login)_?name"
    r"|address|street|city|gender|sex|religion|ethnic|diagnos|blood|race|marital|nationality|salary",
    re.IGNORECASE,
)


@lru_cache(maxsize=1 << 13)
def is_label(value: str) -> bool:
    """Whether *value* consists of public words and may be kept."""
    if not value or len(value) > MAX_CHARACTERS:
        return False
    if value in _CODES or value in _LANGUAGES:
        return True
    if not _LABEL.fullmatch(value):
        return False
    lowered = value.lower()
    if lowered in _WORDS:
        return True
    if len(value) == 5 and value[2] in "-_" and value[:2].lower() in _LANGUAGES and value[3:] in _CODES:
        return True
    parts = _PARTS.findall(value)
    return len(parts) <= MAX_PARTS and all(len(p) > 1 and p.lower() in _WORDS for p in parts)


@lru_cache(maxsize=1 << 13)
def may_have_labels(name: str) -> bool:
    """Whether a property of this name may have an enum: its name does not say personal or secret."""
    return _WITHOUT_LABELS.search(name) is None
