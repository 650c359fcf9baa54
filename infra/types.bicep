@export()
@sealed()
@description('How the function app scales. HTTP functions scale together, and so do durable ones; every other function by itself.')
type scaleSettings = {
  @description('Instances of each scaling group at most.')
  @minValue(40)
  @maxValue(1000)
  maximumInstances: int

  instanceMemoryMB: 512 | 2048 | 4096

  @description('HTTP requests that one instance handles at a time. Event streams hold a request open, so this counts followers, too.')
  @minValue(1)
  @maxValue(1000)
  httpConcurrency: int

  @description('Instances that are always there. An answer from them needs no cold start; they cost while they wait.')
  alwaysReady: {
    @minValue(0)
    http: int

    @minValue(0)
    durable: int

    @description('Per device namespace, for the function that takes what sessions report.')
    @minValue(0)
    sessionMessages: int
  }

  zoneRedundant: bool
}

@export()
@sealed()
@description('Serverless bills what is used and suits up to some hundred sessions at once; autoscale holds more and can reserve.')
@discriminator('kind')
type cosmosCapacity = serverlessCapacity | autoscaleCapacity

@sealed()
type serverlessCapacity = {
  kind: 'serverless'
}

@sealed()
type autoscaleCapacity = {
  kind: 'autoscale'

  @description('Request units per second at most that all containers of the database share; a tenth of it is always paid.')
  @minValue(1000)
  maximumRequestUnits: int
}

@export()
@sealed()
@description('One device namespace. Buckets `from` to `to` of 0 to 4095 are served by it; together the shards cover all of them.')
type deviceShard = {
  @description('Name of the connection in the app settings.')
  @minLength(2)
  connection: string

  @minValue(0)
  @maxValue(4095)
  from: int

  @minValue(0)
  @maxValue(4095)
  to: int
}

@export()
@sealed()
@description('Which device namespace serves which buckets. The version goes up with every change.')
type deviceShards = {
  @minValue(1)
  version: int

  @minLength(1)
  shards: deviceShard[]
}

@export()
@sealed()
@description('How long what is kept is kept, in days.')
type retentionSettings = {
  @description('Output and collected files; 0 keeps them for ever. The events about them stay.')
  @minValue(0)
  files: int

  @description('Anchors cannot be changed or deleted before this age.')
  @minValue(1)
  @maxValue(146000)
  anchors: int

  @minValue(30)
  @maxValue(730)
  logs: int

  cosmosBackup: 'Continuous7Days' | 'Continuous30Days'
}

@export()
@sealed()
@description('Who is told when something is wrong or gets expensive.')
type notificationSettings = {
  @minLength(1)
  emails: string[]

  @description('Monthly, in the currency of the subscription; 0 makes no budget.')
  @minValue(0)
  budget: int

  @description('First day of a month, `2026-12-01`, from which the budget counts. It cannot lie in the past when the budget is made.')
  budgetFrom: string
}

@export()
@sealed()
@description('The names of the keys in Key Vault that sign commands. A rotation puts the old name into `previous` and a new one into `current`.')
type commandKeySettings = {
  @minLength(1)
  current: string
  previous: string?
}

@export()
@sealed()
@description('What the modules need to know of the identity that the app runs as.')
type appIdentity = {
  id: string
  clientId: string
  principalId: string
}

@export()
@sealed()
@description('How the app reaches one device namespace; the addresses are those of secrets in Key Vault.')
type deviceConnection = {
  name: string
  host: string
  listenRule: string
  sendRule: string
  listenKeyAddress: string
  sendKeyAddress: string
}

@export()
type resourceTags = {
  @description('Any tag.')
  *: string
}
