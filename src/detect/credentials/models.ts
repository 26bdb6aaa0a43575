import { ALPHANUMERIC, BASE64, BASE64URL, DOT, HEX_LOWER, LOWER, UPPER, WORD } from '#detect/charset.ts'
import { type Rule, shape } from './rule.ts'

/**
 * Model providers and what stands around them. Formats as their consoles issue them and their documentation shows:
 * platform.openai.com, docs.anthropic.com, huggingface.co/docs/hub/security-tokens, openrouter.ai/docs,
 * docs.databricks.com, docs.aws.amazon.com/bedrock (API keys), console.groq.com, docs.x.ai, docs.perplexity.ai,
 * replicate.com/docs, docs.pinecone.io, docs.smith.langchain.com.
 */
export const MODELS: readonly Rule[] = [
  shape('openai-key', 'sk-proj-', [[BASE64URL, 40, 255]]),
  shape('openai-key', 'sk-svcacct-', [[BASE64URL, 40, 255]]),
  shape('openai-key', 'sk-admin-', [[BASE64URL, 40, 255]]),
  shape('openai-key', 'sk-', [[ALPHANUMERIC, 32, 64]], { distinct: 8 }),
  shape('anthropic-key', 'sk-ant-', [[BASE64URL, 40, 255]], { distinct: 12 }),
  shape('openrouter-key', 'sk-or-v1-', [[HEX_LOWER, 64, 64]]),
  shape('huggingface-token', 'hf_', [[LOWER | UPPER, 34, 34]], { distinct: 8 }),
  shape('huggingface-token', 'api_org_', [[LOWER | UPPER, 34, 34]], { distinct: 8 }),
  shape('replicate-token', 'r8_', [[BASE64URL, 37, 40]]),
  shape('groq-key', 'gsk_', [[ALPHANUMERIC, 48, 56]]),
  shape('xai-key', 'xai-', [[ALPHANUMERIC, 70, 90]]),
  shape('perplexity-key', 'pplx-', [[ALPHANUMERIC, 40, 64]]),
  shape('nvidia-key', 'nvapi-', [[BASE64URL, 60, 80]]),
  shape('together-key', 'tgp_v1_', [[BASE64URL, 40, 60]]),
  shape('jina-key', 'jina_', [[BASE64URL, 56, 70]]),
  shape('pinecone-key', 'pcsk_', [[WORD, 60, 80]]),
  shape('langsmith-key', 'lsv2_pt_', [[HEX_LOWER, 32, 32], '_', [HEX_LOWER, 10, 10]]),
  shape('langsmith-key', 'lsv2_sk_', [[HEX_LOWER, 32, 32], '_', [HEX_LOWER, 10, 10]]),
  shape('databricks-token', 'dapi', [[HEX_LOWER, 32, 32]], { distinct: 8 }),
  shape('aws-bedrock-api-key', 'ABSK', [[ALPHANUMERIC | BASE64, 109, 300]]),
  shape(
    'aws-bedrock-api-key',
    'bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t',
    [[ALPHANUMERIC | BASE64 | DOT, 0, 4000]],
    {
      distinct: 0,
    },
  ),
  shape('prefect-key', 'pnu_', [[ALPHANUMERIC, 36, 36]]),
  shape('prefect-key', 'pnb_', [[ALPHANUMERIC, 36, 36]]),
]
