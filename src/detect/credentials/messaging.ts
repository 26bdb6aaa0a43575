import {
  ALPHANUMERIC,
  BASE64,
  BASE64URL,
  DIGIT,
  HEX,
  HEX_LOWER,
  HYPHEN,
  LOWER,
  UPPER,
  WORD,
  isOf,
  runEnd,
  runStart,
} from '#detect/charset.ts'
import { type Rule, secret, shape } from './rule.ts'

const SLACK_PREFIXES = ['xoxb-', 'xoxp-', 'xoxo-', 'xoxs-']

/**
 * Messages, calls, social networks. Formats from api.slack.com/authentication/token-types,
 * core.telegram.org/bots/api, discord.com/developers, learn.microsoft.com/microsoftteams (incoming webhooks),
 * twilio.com/docs/iam, developers.facebook.com/docs/facebook-login, developer.x.com, getstream.io.
 */
export const MESSAGING: readonly Rule[] = [
  ...SLACK_PREFIXES.map((prefix) =>
    shape('slack-token', prefix, [[DIGIT, 6, 14], '-', [ALPHANUMERIC | HYPHEN, 8, 255]]),
  ),
  shape('slack-token', 'xoxe-', [[DIGIT, 1, 1], '-', [BASE64URL, 80, 300]]),
  shape('slack-token', 'xoxa-', [[ALPHANUMERIC | HYPHEN, 30, 255]], { distinct: 10 }),
  shape('slack-token', 'xoxr-', [[ALPHANUMERIC | HYPHEN, 30, 255]], { distinct: 10 }),
  shape('slack-configuration-token', 'xoxe.xoxp-1-', [[BASE64URL, 80, 300]]),
  shape('slack-configuration-token', 'xoxe.xoxb-1-', [[BASE64URL, 80, 300]]),
  shape(
    'slack-app-token',
    'xapp-',
    [[DIGIT, 1, 2], '-', [UPPER | DIGIT, 8, 16], '-', [DIGIT, 8, 16], '-', [LOWER | DIGIT, 32, 80]],
    {
      anyCase: true,
    },
  ),
  shape('slack-webhook', 'hooks.slack.com/services/', [[WORD | BASE64, 40, 60]], { notBefore: 0 }),
  shape('slack-webhook', 'hooks.slack.com/workflows/', [[WORD | BASE64, 40, 80]], { notBefore: 0 }),
  shape('slack-webhook', 'hooks.slack.com/triggers/', [[WORD | BASE64, 40, 80]], { notBefore: 0 }),
  shape('discord-webhook', 'discord.com/api/webhooks/', [[DIGIT, 17, 20], '/', [BASE64URL, 60, 80]], { notBefore: 0 }),
  shape('discord-webhook', 'discordapp.com/api/webhooks/', [[DIGIT, 17, 20], '/', [BASE64URL, 60, 80]], {
    notBefore: 0,
  }),
  shape(
    'teams-webhook',
    '.webhook.office.com/webhookb2/',
    [[HEX | HYPHEN, 36, 36], '@', [HEX | HYPHEN, 36, 36], '/IncomingWebhook/', [HEX, 32, 32]],
    {
      notBefore: 0,
    },
  ),
  shape('zapier-webhook', 'hooks.zapier.com/hooks/catch/', [[DIGIT, 5, 12], '/', [ALPHANUMERIC, 5, 12]], {
    notBefore: 0,
  }),
  ...['AC', 'SK', 'SM', 'MM', 'CA', 'RE', 'PN'].map((prefix) =>
    shape('twilio-id', prefix, [[HEX_LOWER, 32, 32]], { distinct: 8, score: 0.9 }),
  ),
  shape('facebook-token', 'EAAM', [[ALPHANUMERIC, 80, 400]], { distinct: 16 }),
  shape('facebook-token', 'EAAC', [[ALPHANUMERIC, 80, 400]], { distinct: 16 }),
  shape('facebook-token', 'EAAB', [[ALPHANUMERIC, 80, 400]], { distinct: 16 }),
  shape('x-bearer-token', 'AAAAAAAAAAAAAAAAAAAAA', [[ALPHANUMERIC | 2048, 60, 120]], { distinct: 16 }),
  { literal: ':AA', find: telegramToken },
]

/** `123456789:AA...`: the number of the bot stands before the literal. */
function telegramToken(text: string, at: number) {
  if (!text.startsWith(':AA', at)) return undefined
  const start = runStart(text, at, DIGIT, 17)
  const end = runEnd(text, at + 1, BASE64URL, 40)
  const isToken = at - start >= 5 && at - start <= 16 && end - at - 1 >= 34 && end - at - 1 <= 36
  return isToken && !isOf(text, start - 1, WORD) ? secret('telegram-bot-token', start, end) : undefined
}
