/**
 * Words that this project used to have for things that have a standard name, and phrases that are not English. They must not
 * come back: `words.test.ts` looks for them. `docs/glossary.md` lists the same words for people.
 *
 * To retire a word, add a row here and in the glossary. A pattern has to leave ordinary English alone: `wrong` and `fine` are
 * examples that it is tested with. Patterns need no flags: they ignore case, and a space in one stands for any white space.
 */

export interface RetiredWord {
  /** As the glossary has it. */
  readonly word: string;
  /** What to write instead. */
  readonly write: string;
  /** What not to write in documents: Markdown without its code, and the comments of the settings. */
  readonly documents?: RegExp;
  /** What not to write in comments and texts of the source; `true`: the same as in documents. */
  readonly source?: RegExp | true;
  /**
   * What not to use in names of the source. A name is matched as its parts in lower case with spaces between them:
   * `callAgain`, `CallAgain` and `CALL_AGAIN` are all `call again`.
   */
  readonly names?: RegExp;
  /** Names that are stored or sent and so cannot change, or that mean something else. */
  readonly allowedNames?: readonly string[];
  /** Texts that `documents` finds. */
  readonly wrong?: readonly string[];
  /** Ordinary English that it does not find. */
  readonly fine?: readonly string[];
}

const NEWS =
  /\b(?:whose|of|the(?: same| latest| newest)?|its|their) news\b|\btells? (?:its|the|each|every) (?:project|object|stream)\b/;
const DEBT = /\b(?:debts?|owes?|owed|ripens?|ripe|forgives?|forgiven)\b/;

export const RETIRED_WORDS: readonly RetiredWord[] = [
  {
    word: "tell, news, word of news",
    write: "notify, notification",
    documents: NEWS,
    source: true,
    wrong: ["a stream whose news could not be sent", "keep their news to themselves", "It tells its project."],
    fine: ["nothing new", "`publicStreams=news/*`", "`CF-Cache-Status` tells what it did"],
  },
  {
    word: "bring, courier",
    write: "deliver, dispatcher",
    documents: /\bcouriers?\b|\bbrings? (?:it|them) on\b/,
    source: true,
    names: /\bcouriers?\b/,
    wrong: ["The courier takes it.", "nobody brings it on"],
    fine: ["If that call brings no answer", "Bring your own secret"],
  },
  {
    word: "round",
    write: "delivery pass",
    documents: /\brounds? of deliver(?:y|ies)|\bdelivery rounds?\b|\ba round to\b|\bround is over\b/,
    source: true,
    wrong: ["Rounds of deliveries", "The round is over"],
    fine: ["a round trip per level", "in several rounds", "rounded up to whole rows", "go round in circles"],
  },
  {
    word: "piece",
    write: "batch",
    documents: /\bpieces? of (?:half a megabyte|appends|deliveries)\b|\bin pieces of\b/,
    source: true,
    wrong: ["appends in pieces of half a megabyte"],
    fine: ["a piece of advice"],
  },
  {
    word: "place (of a reader)",
    write: "reader slot",
    documents: /\bplaces? (?:for|of) (?:(?:a|its|their|each|live|more) )*readers?\b/,
    source: true,
    wrong: ["places of live readers", "a place for each reader"],
    fine: ["in place of an older one", "where the reader's place is free"],
  },
  {
    word: "allowance, room",
    write: "quota grant, remaining bytes",
    documents: /\ballowances?\b/,
    source: true,
    names: /\ballowances?\b/,
    // A column of the table `stream`.
    allowedNames: ["allowance_bytes"],
    wrong: ["its allowance is used up"],
    fine: ["streams of chat rooms", "there is no room for it"],
  },
  {
    word: "ring (of an alarm)",
    write: "the alarm fires",
    documents: /\balarms? (?:that |which )?(?:rings?|rang)\b|\b(?:it|they) (?:rings?|rang)\b/,
    source: true,
    names: /\b(?:ring|rings|rang|ringing)\b/,
    wrong: ["The alarm rings for whatever comes first", "when it rings too early"],
    fine: ["during the string", "a ring buffer"],
  },
  {
    word: "debt, owe, ripen, forgive",
    write: "pending release (an outbox row), record, activate, cancel",
    documents: DEBT,
    // The plural is the name of a table.
    source: /\b(?:debt|owes?|owed|ripens?|ripe|forgives?|forgiven)\b/,
    names: DEBT,
    wrong: ["The alarm pays its debts", "what it may owe"],
    fine: ["the table `debts`", "lowest", "a tripled rate"],
  },
  {
    word: "garbage",
    write: "pending object deletion",
    documents: /\bgarbage\b/,
    // Alone it is the name of a table; a garbage collector is one.
    source: /\b(?:as|in|into|is|no|of|the) garbage\b(?! collect)/,
    names: /\bgarbage\b/,
    wrong: ["written into the garbage"],
    fine: ["the table `garbage`"],
  },
  {
    word: "facts",
    write: "result",
    documents: /\bfacts of (?:an?|the) (?:stream|append|subscription|source)\b/,
    source: true,
    wrong: ["the facts of a stream"],
    fine: ["in fact", "the facts"],
  },
  {
    word: "standing",
    write: "status",
    documents: /\bstanding of\b|\bits standing\b/,
    source: true,
    names: /\bstanding\b/,
    // The status in an attach answer, as it is sent to and by the release before.
    allowedNames: ["standing"],
    wrong: ["the standing of a link"],
    fine: ["notwithstanding that", "a standing order"],
  },
  {
    word: "attempt (of an append)",
    write: "request id",
    documents: /\battempt ids?\b|\bid of (?:an|the|each) attempt\b/,
    source: true,
    names: /\battempt ids?\b/,
    wrong: ["its attempt id"],
    fine: ["the last 20 attempts", "after `max_attempts` failed attempts"],
  },
  {
    word: "may be repeated",
    write: "idempotent",
    documents: /\bmay be repeated\b/,
    source: true,
    wrong: ["Each step may be repeated."],
    fine: ["A repeated PUT", "must not be repeated"],
  },
  {
    word: "call again, within, for each",
    write: "`retryRpc`, `withTimeout`, `mapConcurrent`",
    names: /^call again\b/,
  },
  {
    word: "life",
    write: "incarnation (of a stream), instance (of an object)",
    documents: /\b(?:life|lives) of (?:an?|the|one|each|this) (?:stream|object|url)\b/,
    source: /\b(?:one|another|each) (?:life|lives) of (?:an?|the) (?:stream|object)\b/,
    wrong: ["one life of a stream"],
    fine: ["the lifetime of a stream", "a live read", "Durable Objects live on", "life-cycle"],
  },
  {
    word: "lane",
    write: "single flight, or keyed mutex",
    documents: /\b(?:fast )?lanes?\b/,
    source: true,
    wrong: ["Small commits travel in the fast lane"],
    fine: ["plane", "planes"],
  },
  {
    word: "subscription (of a session)",
    write: 'link, follower; "subscription" is the protocol\'s',
    documents: /\bsession(?:'s|s') subscriptions?\b|\bsubscriptions? of (?:a|the) sessions?\b/,
    source: true,
    wrong: ["the session's subscriptions"],
    fine: ["changes of sessions and of subscriptions", "sessions and subscriptions"],
  },
  {
    word: "consumer (a class or a type)",
    write: "`WakeSubscription`, `SubscriptionView` and so on; of followers: `FollowerSet`",
    // The bindings, the Durable Objects' classes, the tables and the RPC methods keep their names.
    names:
      /^(?:consumer (?:api|host|fixture|progress|record|view|world|driver|stub|notify api|directory api)|create consumer command)$/,
  },
  {
    word: "announce (a stream)",
    write: "notice: `recordNotice`, `noticeDueAtMs`",
    names: /^(?:announcement due at ms|announcer|announce older)$/,
  },
  {
    word: "calm, came, answered",
    write: "`yieldToAppends`, `appendStarted`, `appendFinished`",
    names: /^(?:append )?came$|^until calm$/,
  },
  {
    word: "initial (of a setting)",
    write: "default",
    documents: /\binitial (?:values?|settings?)\b/,
    source: true,
    wrong: ["the setting's initial value"],
    fine: ["a PUT's initial content"],
  },
  {
    word: "a twentieth of",
    write: "5 % of",
    documents: /\ba (?:tenth|twentieth|fortieth|fiftieth|hundredth) of\b/,
    source: true,
    wrong: ["a fortieth of an append's instructions"],
    fine: ["a third of the time", "the tenth offset"],
  },
  {
    word: "broken off",
    write: "interrupted",
    documents: /\bbroken off\b/,
    source: true,
    wrong: ["Broken off anywhere, the same command goes on."],
    fine: ["a broken body", "the response breaks off"],
  },
  {
    word: "is no session",
    write: "is not a session",
    documents:
      /(?<!\bthere )\b(?:is|are|was|were) no (?:sessions?|streams?|offsets?|proxy|proxies|keys?|tokens?|numbers?|failures?|use|JSON|UTF-8)\b/,
    source: true,
    wrong: ["The stream is no session.", "bytes that are no UTF-8"],
    fine: ["If there is no session", "there are no keys", "is no longer a session", "is no more than a session"],
  },
  {
    word: "also not",
    write: "not even",
    documents: /\b(?:lost|stored|read|found|sent), also not\b/,
    source: true,
    wrong: ["lost, also not by `kill -9`"],
    fine: ["It was also not deleted."],
  },
];
