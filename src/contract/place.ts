/** The three clouds, and `local` for what runs on this machine or in the caller's own network. */
export type Cloud = 'azure' | 'aws' | 'gcp' | 'local'

/** Where something runs. `region` is the cloud's own name: `eastus`, `us-east-1`, `us-east4`. */
export interface Place {
  readonly cloud: Cloud
  readonly region: string
}

/** `azure:eastus`: the form used in tables, spans and audit entries. */
export function placeName(place: Place): string {
  return `${place.cloud}:${place.region}`
}
